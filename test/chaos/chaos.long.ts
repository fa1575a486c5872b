import { runChaos } from './harness';
import { ORDERED, POLICIES } from './policies';

test('fifty kills of the service and ten of PostgreSQL: 0 lost, 0 phantom, 0 out of order, by every policy', async () => {
  const seed = Number(process.env['CHAOS_SEED'] ?? Date.now());
  const { policies, collapsed, hostile, quarantined, audit, background, calls, recoveries, brokenChains, killsWithBacklog } =
    await runChaos({
      serviceKills: 50,
      postgresKills: 10,
      spinners: 2,
      seed,
    });
  const sorted = [...recoveries].sort((a, b) => a - b);
  const counts = Object.entries(policies).map(([name, { committed, arrived, lost, phantoms, outOfOrder, repeats }]) => ({
    name,
    committed,
    arrived,
    lost: lost.length,
    phantoms: phantoms.length,
    outOfOrder: outOfOrder.length,
    repeats,
  }));
  console.table(counts);
  console.log(
    JSON.stringify({
      seed,
      calls,
      audit,
      killsWithBacklog,
      recovery_ms: { median: Math.round(sorted[sorted.length >> 1] ?? 0), max: Math.round(sorted.at(-1) ?? 0) },
    }),
  );
  expect(policies).toMatchObject(Object.fromEntries(POLICIES.map((name) => [name, { lost: [], phantoms: [], idsThatDiffer: [] }])));
  expect(policies).toMatchObject(Object.fromEntries(ORDERED.map((name) => [name, { outOfOrder: [] }])));
  expect(killsWithBacklog).toBeGreaterThan(40);
  expect(collapsed).toEqual([]);
  expect([hostile.lost, quarantined]).toEqual([[], []]);
  expect(hostile.committed).toBeGreaterThan(20);
  expect(brokenChains).toEqual([]);
  expect(calls).toEqual({ missing: 0, repeated: 0 });
  expect(audit).toMatchObject({ changes: policies['plain']?.committed, unaccounted: 0 });
  expect(background).toEqual({ unaccounted: 0 });
  expect(sorted.at(-1)).toBeLessThan(15_000);
}, 900_000);
