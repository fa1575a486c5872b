import { runChaos } from './harness';

// A few kills of each; `npm run test:chaos` is the long version.
test('kill -9 of the service and of PostgreSQL under load loses nothing, invents nothing, and keeps the order of each entity', async () => {
  const verdict = await runChaos({ serviceKills: 4, postgresKills: 1, seed: Date.now() });
  expect(verdict).toMatchObject({ lost: [], phantoms: [], outOfOrder: [], idsThatDiffer: [] });
  expect(verdict.committed).toBeGreaterThan(100);
  // Only what was in flight at a kill may come twice.
  expect(verdict.repeats).toBeLessThan(5 * 1_000);
  expect(Math.max(...verdict.recoveries)).toBeLessThan(10_000);
}, 120_000);
