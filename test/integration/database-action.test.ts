import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseActionDefinition } from '../../src/event/definitions';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startServiceProcess } from '../support/service-process';
import { endpointOf, observerOf, startStream, type TestStream } from '../support/stream';
import { atLeast, eventually, untilRows } from '../support/until';

let database: TestDatabase;
let stream: TestStream | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query(`create table public.orders (id bigint primary key, note text);
    create table public.done (id bigint generated always as identity, key text, note text)`);
  await database.capture('public.orders');
});

afterEach(async () => {
  await stream?.stop();
  stream = null;
  await database.drop();
});

const define = (body: string, argument = 'jsonb'): Promise<unknown> =>
  database.query(`create function public.handle(event ${argument}) returns void language plpgsql as $$ begin ${body}; end $$`);
const INSERT = "insert into public.done (key, note) values (event #>> '{entity,key}', event #>> '{data,note}')";

async function start(changed: Partial<DatabaseActionDefinition> = {}): Promise<void> {
  const action: DatabaseActionDefinition = { type: 'database', name: 'call', function: 'public.handle', timeout: 5_000, ...changed };
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action] });
  stream = await startStream(database.url, [observer]);
}

const done = (): Promise<{ key: string; note: string | null }[]> => database.query('select key, note from public.done order by id');
const dead = (): Promise<{ error: string; message: string; attempts: number }[]> =>
  untilRows<{ error: string; message: string; attempts: number }>(
    database,
    'select error, message, attempts from observers.dead_letter',
    1,
  );

test.each(['jsonb', 'json', 'text'])('a function that takes %s is called with the envelope, and its attempt is one row', async (type) => {
  await define(INSERT.replaceAll('event', 'event::jsonb'), type);
  await start();
  await database.query("insert into orders values (7, 'a')");
  expect(await eventually(done, (rows) => rows.length === 1)).toEqual([{ key: '7', note: 'a' }]);
  const attempts = await database.query('select outcome, attempt from observers.attempt');
  expect(attempts).toEqual([{ outcome: 'succeeded', attempt: 1 }]);
});

test('a function of any name is called, written as it is printed', async () => {
  await database.query('create schema "My Shop"');
  await database.query(
    `create function "My Shop"."say ""$&"" $1.now"(event jsonb) returns void language plpgsql as $$ begin ${INSERT}; end $$`,
  );
  await start({ function: '"My Shop"."say ""$&"" $1.now"' });
  await database.query("insert into orders values (7, 'a')");
  expect(await eventually(done, (rows) => rows.length === 1)).toEqual([{ key: '7', note: 'a' }]);
});

test('what raises is rolled back and tried again; what it did the first time is not there', async () => {
  await database.query('create sequence tries');
  await define(`${INSERT}; if nextval('public.tries') < 3 then raise 'not yet'; end if`);
  await start();
  await database.query("insert into orders values (1, 'a')");
  await eventually(done, (rows) => rows.length === 1);
  const attempts = await untilRows(database, 'select outcome, error from observers.attempt order by attempt', 3);
  expect(attempts).toEqual([
    { outcome: 'retry', error: 'database_temporary' },
    { outcome: 'retry', error: 'database_temporary' },
    { outcome: 'succeeded', error: null },
  ]);
  await untilRows(database, 'select from observers.pending_delivery', 0);
});

test.each([
  ['a function that is not there', null, {}, 'configuration', /^the function cannot be called: .*handle.* does not exist/, 1],
  [
    'a constraint',
    'alter table public.done add check (key = null); insert into public.done (key) values (null::text), (1/0)',
    {},
    'database_error',
    /division by zero \(22012\)/,
    1,
  ],
  ['a function that does not end', 'perform pg_sleep(30)', { timeout: 50 }, 'timeout', /^the function did not end within 50 ms/, 4],
])('%s is a dead letter with the reason', async (_what, body, changed, error, message, attempts) => {
  if (body !== null) await define(body);
  await start(changed);
  await database.query("insert into orders values (1, 'a')");
  const [letter] = await dead();
  expect(letter).toMatchObject({ error, attempts });
  expect(letter!.message).toMatch(message);
  expect(await done()).toEqual([]);
});

test('calls of one entity go in the order of its changes', async () => {
  await define(INSERT);
  await start();
  await database.query("insert into orders values (1, '0'), (2, '0')");
  for (let note = 1; note <= 20; note++) await database.query('update orders set note = $1', [String(note)]);
  const rows = await eventually(done, (all) => all.length === 42);
  for (const key of ['1', '2'])
    expect(rows.filter((row) => row.key === key).map(({ note }) => Number(note))).toEqual([...Array(21).keys()]);
});

test('a stop in the middle of a call undoes it, and the next start does it once', async () => {
  await define(`${INSERT}; if not exists (select from public.orders where id = 99) then perform pg_sleep(20); end if`);
  const action: DatabaseActionDefinition = { type: 'database', name: 'call', function: 'public.handle', timeout: 60_000 };
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action] });
  stream = await startStream(database.url, [observer], { settings: { shutdownTimeout: 100 } });
  await database.query("insert into orders values (1, 'a')");
  await untilRows(
    database,
    "select from pg_stat_activity where query like '%public.handle(%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()",
    atLeast(1),
  );
  await stream.stop();
  expect(await done()).toEqual([]);
  await database.query("set observers.mute = 'on'; insert into orders values (99, ''); set observers.mute = 'off'");
  stream = await startStream(database.url, [observer]);
  expect(await eventually(done, (rows) => rows.length > 0)).toEqual([{ key: '1', note: 'a' }]);
});

test('kill -9 again and again under load: every function call took effect exactly once', async () => {
  await define(`${INSERT}; perform pg_sleep(0.002)`);
  const folder = mkdtempSync(join(tmpdir(), 'observers-once-'));
  writeFileSync(
    join(folder, 'observers.yaml'),
    'version: 1\nobservers:\n  - { name: all, entity: Order, actions: [{ type: database, function: public.handle }] }\n',
  );
  const env = { DATABASE_URL: database.url, OBSERVERS_LOG_LEVEL: 'warn' };
  let service = startServiceProcess(folder, env);
  try {
    let written = 0;
    for (let kill = 0; kill < 8; kill++) {
      await database.query("insert into orders select i, 'x' from generate_series($1::int + 1, $1::int + 150) i", [written]);
      written += 150;
      const before = (await done()).length;
      await eventually(done, (rows) => rows.length >= Math.min(before + 40 + kill * 7, written));
      await service.end('SIGKILL');
      service = startServiceProcess(folder, env);
    }
    const rows = await eventually(done, (all) => all.length >= written);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(written);
    expect(rows).toHaveLength(written);
    // No call of a killed process may come later.
    await untilRows(database, 'select from observers.pending_delivery', 0);
    expect(await done()).toHaveLength(written);
  } finally {
    await service.end();
    rmSync(folder, { recursive: true });
  }
});
