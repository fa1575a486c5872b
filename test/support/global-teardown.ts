import { Client } from 'pg';

const TEMPLATE = 'observers_test_template';

/** Stops the server, after checking that no test left a database behind. */
export default async function globalTeardown(): Promise<void> {
  const client = new Client({ connectionString: process.env['TEST_POSTGRES_URL'] });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    "select datname as name from pg_database where datname like 'observers\\_test\\_%'",
  );
  for (const { name } of rows) await client.query(`drop database if exists ${name} with (force)`);
  const { rolesOfTheTests = [] } = globalThis as { rolesOfTheTests?: readonly string[] };
  for (const role of rolesOfTheTests) await client.query(`drop role if exists ${role}`);
  await client.end();
  const { stopTestPostgres } = globalThis as { stopTestPostgres?: () => Promise<void> };
  await stopTestPostgres?.();
  const left = rows.filter(({ name }) => name !== TEMPLATE);
  if (left.length > 0) throw new Error(`tests left databases behind: ${left.map(({ name }) => name).join(', ')}`);
}
