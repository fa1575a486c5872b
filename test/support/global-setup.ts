import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { testedPostgres } from './postgres-version';
import { createRoles } from './roles';

/** One PostgreSQL for the whole run: ours, the version that TEST_POSTGRES_VERSION names, or the server that TEST_DATABASE_URL does. */
export default async function globalSetup(): Promise<void> {
  if (process.env['TEST_DATABASE_URL']) {
    process.env['TEST_POSTGRES_URL'] = process.env['TEST_DATABASE_URL'];
    await prepare(process.env['TEST_DATABASE_URL']);
    return;
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'observers-test-'));
  const settings = { fsync: 'off', max_connections: '200', max_prepared_transactions: '20', wal_level: 'logical' };
  const postgres = await startEmbeddedPostgres({ dataDir, settings, ...testedPostgres() });
  process.env['TEST_POSTGRES_URL'] = postgres.url;
  await hashOnce(postgres.url);
  await prepare(postgres.url);
  // Jest keeps globalThis from the set-up to the tear-down, and modules not.
  Object.assign(globalThis, {
    stopTestPostgres: async () => {
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  });
}

/** Tests connect 20,000 times, and 4,096 rounds of hashing take client and server 8 ms of each. PostgreSQL 14 and 15 have no setting for it. */
async function hashOnce(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rowCount } = await client.query("select from pg_settings where name = 'scram_iterations'");
  if (rowCount === 1) {
    await client.query('alter system set scram_iterations = 1');
    await client.query('select pg_reload_conf()');
    await client.query(`set scram_iterations = 1; alter role postgres password '${new URL(url).password}'`);
  }
  await client.end();
}

async function prepare(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const rolesOfTheTests = await createRoles(client);
  await client.end();
  Object.assign(globalThis, { rolesOfTheTests });
}
