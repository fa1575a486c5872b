import type { LookupCache } from '../../src/cache/lookup-cache';
import { MemoryCache } from '../../src/cache/memory-cache';

const DRIVERS: Readonly<Record<string, () => LookupCache>> = { memory: () => new MemoryCache() };

// Every driver behaves like this.
describe.each(Object.entries(DRIVERS))('%s', (_name, open) => {
  let cache: LookupCache;
  beforeEach(() => void (cache = open()));

  test('it has what it was given, as it was given, and nothing else', () => {
    cache.set('a', { value: { deep: [1, null, 'x'] }, at: 5 }, 20);
    expect(cache.get('a')).toEqual({ value: { deep: [1, null, 'x'] }, at: 5 });
    expect(cache.get('b')).toBeUndefined();
  });

  test('that there is nothing is an answer too', () => {
    cache.set('a', { value: undefined, at: 5 }, 0);
    expect(cache.get('a')).toEqual({ value: undefined, at: 5 });
    expect(cache.count).toBe(1);
  });

  test('a later answer takes the place of an earlier one', () => {
    cache.set('a', { value: 1, at: 5 }, 1);
    cache.set('a', { value: 2, at: 9 }, 1);
    expect(cache.get('a')).toEqual({ value: 2, at: 9 });
    expect(cache.count).toBe(1);
  });

  test('it is bounded by the bytes of its answers: the ones used last stay', () => {
    const megabyte = 1 << 20;
    for (let i = 0; i < 100; i++) {
      cache.set(`key ${i}`, { value: i, at: i }, megabyte);
      cache.get('key 0');
    }
    expect(cache.count).toBeLessThan(30);
    expect(cache.get('key 0')).toEqual({ value: 0, at: 0 });
    expect(cache.get('key 99')).toEqual({ value: 99, at: 99 });
    expect(cache.get('key 1')).toBeUndefined();
  });
});
