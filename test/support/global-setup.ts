import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { ROLES } from '../../src/database/roles/rights';
import { testedPostgres } from './postgres-version';

/** One PostgreSQL for the whole run: ours, the version that TEST_POSTGRES_VERSION names, or the server that TEST_DATABASE_URL does. */
export default async function globalSetup(): Promise<void> {
  if (process.env['TEST_DATABASE_URL']) {
    process.env['TEST_POSTGRES_URL'] = process.env['TEST_DATABASE_URL'];
    await createRoles(process.env['TEST_DATABASE_URL']);
    return;
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'observers-test-'));
  const settings = { fsync: 'off', max_connections: '200', max_prepared_transactions: '20', wal_level: 'logical' };
  const postgres = await startEmbeddedPostgres({ dataDir, settings, ...testedPostgres() });
  process.env['TEST_POSTGRES_URL'] = postgres.url;
  await createRoles(postgres.url);
  // Jest keeps globalThis from the set-up to the tear-down, and modules not.
  Object.assign(globalThis, {
    stopTestPostgres: async () => {
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  });
}

/** Roles belong to the whole server, so that no test makes or drops them: every database of a test has their grants from its migration. */
async function createRoles(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ rolname: string }>('select rolname from pg_roles where rolname = any ($1)', [ROLES]);
  const missing = ROLES.filter((role) => !rows.some(({ rolname }) => rolname === role));
  for (const role of missing) await client.query(`create role ${role} nologin`);
  await client.end();
  Object.assign(globalThis, { rolesOfTheTests: missing });
}
