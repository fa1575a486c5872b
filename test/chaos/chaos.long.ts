import { runChaos } from './harness';

test('fifty kills of the service and ten of PostgreSQL: 0 lost, 0 phantom, 0 out of order', async () => {
  const seed = Number(process.env['CHAOS_SEED'] ?? Date.now());
  const verdict = await runChaos({ serviceKills: 50, postgresKills: 10, seed });
  const { recoveries, ...counts } = verdict;
  const sorted = [...recoveries].sort((a, b) => a - b);
  console.log(
    JSON.stringify({
      seed,
      ...counts,
      recovery_ms: { median: Math.round(sorted[sorted.length >> 1] ?? 0), max: Math.round(sorted.at(-1) ?? 0) },
    }),
  );
  expect(verdict).toMatchObject({ lost: [], phantoms: [], outOfOrder: [], idsThatDiffer: [] });
  expect(sorted.at(-1)).toBeLessThan(5_000);
}, 900_000);
