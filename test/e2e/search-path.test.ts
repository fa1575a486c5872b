import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { removeAll } from '../support/retention';
import { createPool } from '../../src/database/postgres';
import { onShadowedPath, runSteps } from '../support/cli/run-steps';
import { Story } from '../support/cli/story';
import { connectAsApplication, createTestDatabase, onServer, type TestDatabase } from '../support/database';
import { describeWith, program } from '../support/missing-server';
import { startPgBouncer, type TestPooler } from '../support/pgbouncer';
import { MAIN, run } from '../support/program';
import { shadowPath, shadowsCalled } from '../support/shadows';

const mallory = `observers_test_mallory_${randomBytes(4).toString('hex')}`;
let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase({ migrate: false });
  await onServer((server) => server.query(`create role ${mallory}`));
  await shadowPath(database, mallory);
});

afterEach(async () => {
  await database.drop();
  await onServer((server) => server.query(`drop role ${mallory}`));
});

test('the shadows bite: a statement whose session is not pinned calls them', async () => {
  const client = await connectAsApplication(database.url, 'test');
  await expect(client.query("select 'a'::text || 'b'")).rejects.toThrow('a shadow was called');
  await client.end();
  expect(await shadowsCalled(database.client)).toBe(1);
});

/** Everything that the service and the commands do. Over direct connections test/e2e/roles does. */
async function everything(url: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-path-'));
  const story = await Story.begin(database, url);
  story.writeFiles(folder);
  await database.query('create table customers (id int primary key, name text)');
  const call = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    run(process.execPath, [MAIN, ...onShadowedPath(args)], {
      cwd: folder,
      env: { PATH: process.env['PATH'], DATABASE_URL: url, ...env },
    });
  try {
    expect(await runSteps(story, call)).toEqual([]);
    const pool = createPool(url, 2);
    await removeAll(pool);
    await pool.end();
  } finally {
    await story.end();
    rmSync(folder, { recursive: true });
  }
  expect(await shadowsCalled(database.client)).toBe(0);
}

describeWith(program('pgbouncer'), () => {
  let pooler: TestPooler;
  afterEach(() => pooler.close());

  test('behind a pooler in transaction mode, where settings of a session are lost, nobody with CREATE on public has a function or an operator called, and nothing of ours is left in its sessions', async () => {
    pooler = await startPgBouncer([database.url]);
    await everything(pooler.through(database.url));
    // As another client of the pooler finds a session that we had.
    const other = new Client({ connectionString: pooler.through(database.url) });
    await other.connect();
    const { rows } = await other.query(
      `select ${['search_path', 'jit', 'statement_timeout'].map((name) => `pg_catalog.current_setting('${name}') as ${name}`).join(', ')}`,
    );
    await other.end();
    expect(rows).toEqual([{ search_path: 'public, pg_catalog', jit: 'on', statement_timeout: '0' }]);
    const kept =
      "select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";
    expect(await database.query(kept)).toEqual([]);
  }, 600_000);
});
