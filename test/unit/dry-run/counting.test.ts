import * as fc from 'fast-check';
import { FrequentKeys, PeakRate } from '../../../src/dry-run/counting';

test('the most frequent keys are found in bounded memory, and each count lies between what is told', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 5 })), { maxLength: 400 }), (entries) => {
      const keys = new FrequentKeys(8);
      const truth = new Map<string, number>();
      for (const [key, times] of entries) {
        keys.add(`k${key}`, times);
        truth.set(`k${key}`, (truth.get(`k${key}`) ?? 0) + times);
      }
      const top = keys.top(100);
      expect(top.length).toBeLessThanOrEqual(8);
      for (const { key, count, atMost } of top) {
        expect(count).toBeLessThanOrEqual(truth.get(key) ?? 0);
        expect(atMost).toBeGreaterThanOrEqual(truth.get(key) ?? 0);
      }
      // Whoever has more than a ninth of all is among them.
      const all = [...truth.values()].reduce((sum, count) => sum + count, 0);
      for (const [key, count] of truth) if (count > all / 9) expect(top.map((one) => one.key)).toContain(key);
    }),
  );
});

test('with few keys the counts are exact', () => {
  const keys = new FrequentKeys(8);
  for (let i = 0; i < 100; i++) keys.add(`k${i % 8}`, 2);
  expect(keys.top(2)).toEqual([
    { key: 'k0', count: 26, atMost: 26 },
    { key: 'k1', count: 26, atMost: 26 },
  ]);
});

test('the fullest span is found, also among more spans than are open at once', () => {
  const peak = new PeakRate(1_000);
  for (let i = 0; i < 20_000; i++) peak.add(i * 1_000);
  for (const moment of [5_000_100, 5_000_200, 5_000_999]) peak.add(20_000_000 + moment);
  expect([peak.count, peak.at]).toEqual([3, 25_000_000]);
});
