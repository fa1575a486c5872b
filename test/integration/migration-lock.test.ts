import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { listMigrations, runMigrations } from '../../src/database/migrator';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database';
import { containing, matching } from '../support/texts';

const nobody = `observers_test_nobody_${randomBytes(4).toString('hex')}`;
let database: TestDatabase;
let holder: Client;

beforeEach(async () => {
  database = await createTestDatabase({ migrate: false });
  await onServer((server) => server.query(`create role ${nobody} login password 'secret'`));
  const url = new URL(database.url);
  [url.username, url.password] = [nobody, 'secret'];
  holder = new Client({ connectionString: url.toString(), application_name: 'report' });
  await holder.connect();
});

afterEach(async () => {
  await holder.end().catch(() => undefined);
  await database.drop();
  await onServer((server) => server.query(`drop role ${nobody}`));
});

test('whoever holds the lock of the migrations is named, with what ends it, and nothing waits for ever', async () => {
  holder.on('error', () => undefined);
  const { rows } = await holder.query<{ pid: number }>(
    "select pg_advisory_lock(hashtext('fraiseql-observers migrations')), pg_backend_pid() as pid",
  );
  const pid = rows[0]?.pid ?? 0;
  const refused = runMigrations(database.url, { patience: 300 });
  await expect(refused).rejects.toMatchObject({
    message: matching(
      new RegExp(`^the lock of the migrations was not free within 1 s: pid ${pid} holds it, role ${nobody}, application "report"`),
    ),
    remedy: containing(`select pg_terminate_backend(${pid})`),
  });
  // It changed nothing, and asking is not held up.
  expect((await listMigrations(database.url)).every(({ applied }) => !applied)).toBe(true);
  await database.query(`select pg_terminate_backend(${pid})`);
  expect(await runMigrations(database.url)).not.toEqual([]);
});

test('a second migration waits for the first, and then finds nothing to do', async () => {
  const both = await Promise.all([runMigrations(database.url), runMigrations(database.url)]);
  expect(both.map((applied) => applied.length).sort((a, b) => a - b)[0]).toBe(0);
  const kept =
    "select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";
  expect(await database.query(kept)).toEqual([]);
});

test('a migrated database is never locked: a hostile holder stops no start', async () => {
  await runMigrations(database.url);
  await holder.query("select pg_advisory_lock(hashtext('fraiseql-observers migrations'))");
  expect(await runMigrations(database.url, { patience: 0 })).toEqual([]);
});
