import { runChaos } from './harness';
import { ORDERED, POLICIES } from './policies';

// A few kills of each; `npm run test:chaos` is the long version.
test('kill -9 of the service and of PostgreSQL under load loses nothing, invents nothing, and keeps the order of each entity, by every policy', async () => {
  const { policies, collapsed, hostile, quarantined, audit, background, calls, recoveries, brokenChains, killsWithBacklog } =
    await runChaos({
      serviceKills: 4,
      postgresKills: 1,
      spinners: 2,
      seed: Date.now(),
    });
  const none = { lost: [], phantoms: [], idsThatDiffer: [] };
  expect(policies).toMatchObject(Object.fromEntries(POLICIES.map((name) => [name, none])));
  expect(policies).toMatchObject(Object.fromEntries(ORDERED.map((name) => [name, { outOfOrder: [] }])));
  expect(collapsed).toEqual([]);
  expect([hostile.lost, quarantined]).toEqual([[], []]);
  expect(hostile.committed).toBeGreaterThan(20);
  expect(brokenChains).toEqual([]);
  expect(calls).toEqual({ missing: 0, repeated: 0 });
  expect(audit).toMatchObject({ changes: policies['plain']?.committed, unaccounted: 0 });
  expect(background).toEqual({ unaccounted: 0 });
  expect(policies['plain']?.committed).toBeGreaterThan(100);
  // Otherwise nothing was at stake.
  expect(killsWithBacklog).toBeGreaterThan(2);
  // Only what was in flight at a kill may come twice.
  expect(policies['plain']?.repeats).toBeLessThan(5 * 1_000);
  // The start of a process beside others that spin; the long version is about how soon.
  expect(Math.max(...recoveries)).toBeLessThan(60_000);
}, 600_000);
