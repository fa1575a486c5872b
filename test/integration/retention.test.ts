import type { Pool } from 'pg';
import { runMigrations } from '../../src/database/migrator';
import { PooledDatabase } from '../../src/database/database';
import { createPool } from '../../src/database/postgres';
import { RetentionTally } from '../../src/retention/retention-tally';
import { Retention, type RetentionStatus } from '../../src/retention/retention.service';
import type { RetentionSettings } from '../../src/retention/policy';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { asServiceRole } from '../support/roles';
import { untilRows } from '../support/until';
import { DAY, HISTORY, History, removeAll, SHORTEST } from '../support/retention';

// Everything is removed by a member of observers_service, which owns nothing.
let database: TestDatabase;
let history: History;
let pool: Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  history = new History(database);
  pool = createPool(asServiceRole(database.url), 4);
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

const statusOf = (settings: RetentionSettings = SHORTEST): Promise<RetentionStatus> =>
  new Retention(new PooledDatabase(pool), new RetentionTally()).status(settings);
const removed = async (settings?: RetentionSettings): Promise<Record<string, number>> =>
  Object.fromEntries((await removeAll(pool, settings)).removed.map(({ what, count }) => [what, count]));

const PENDING = (state: string): string =>
  `insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at)
   values ($1, 'o', 'a', 'main', 'e', 'l', '${state}', 1, 'infinity')`;
/** What keeps one change, and what ends that. */
const HOLDS: Readonly<Record<string, readonly [begin: string, end: string]>> = {
  ...Object.fromEntries(
    ['scheduled', 'queued', 'running', 'retrying', 'waiting', 'parked', 'paused'].map((state) => [
      state,
      [PENDING(state), 'delete from observers.pending_delivery where change_number = $1'] as const,
    ]),
  ),
  'dead letter': [HISTORY.deadLetter, 'update observers.dead_letter set resolved_at = now() where change_number = $1'],
  quarantine: [
    "insert into observers.quarantine (change_number, stream, reason, message) values ($1, 'main', 'too_large', '')",
    'update observers.quarantine set resolved_at = now() where change_number = $1',
  ],
  unaccounted: [
    "insert into observers.unaccounted (stream, change_number, observer, action, config_version) values ('main', $1, 'o', 'a', 1)",
    "update observers.unaccounted set dismissed_at = now(), dismissed_by = 'test' where change_number = $1",
  ],
};

test('of finished and old changes those stay that anything refers to, in whatever state, and go when that has ended', async () => {
  const names = Object.keys(HOLDS);
  const numbers = await history.changes(names.length + 5, '2 days');
  const young = await history.changes(1, '1 second');
  await history.passed('main');
  for (const [i, name] of names.entries()) await database.query(HOLDS[name]![0], [numbers[i]]);
  expect(await removed()).toMatchObject({ change_log: 5 });
  expect(await history.kept()).toEqual([...numbers.slice(0, names.length), ...young]);
  const { holds } = await statusOf();
  expect(Object.fromEntries(holds.map(({ kind, count }) => [kind, count]))).toMatchObject({
    pending: 7,
    'dead letter': 1,
    quarantine: 1,
    unaccounted: 1,
  });
  for (const [i, name] of names.entries()) await database.query(HOLDS[name]![1], [numbers[i]]);
  expect(await removed()).toMatchObject({ change_log: names.length });
  expect(await history.kept()).toEqual(young);
});

test('nothing is cut that any stream has not passed: one that is slow, one that has read half a window, one that belongs to another cluster, and none at all', async () => {
  const first = await history.changes(3, '2 days');
  expect(await removed()).not.toHaveProperty('change_log');
  await history.passed('main');
  await history.notBegun('second');
  expect(await removed()).not.toHaveProperty('change_log');
  expect((await statusOf()).holds).toMatchObject([{ kind: 'reader', name: 'stream second', oldest: expect.any(String) as string }]);
  await history.passed('second');
  const second = await history.changes(3, '2 days');
  await history.passed('main');
  // As in the middle of a window: the target sees all, and one is read.
  await database.query("update observers.checkpoint set target = pg_current_snapshot(), after = $1 where stream = 'second'", [second[0]]);
  expect(await removed()).toMatchObject({ change_log: 3 });
  expect(await history.kept()).toEqual(second);
  expect(first).not.toContain(second[0]);
  await history.passed('second');
  await database.query("update observers.checkpoint set system_identifier = '1' where stream = 'second'");
  expect(await removed()).not.toHaveProperty('change_log');
  expect((await statusOf()).holds).toMatchObject([{ kind: 'foreign reader', name: 'stream second' }]);
  await history.passed('second');
  expect(await removed()).toMatchObject({ change_log: 3 });
});

test('nothing is cut that the search index has not been told, as long as it is fed', async () => {
  const changes = await history.changes(3, '2 days');
  await history.passed('main');
  await database.query(
    `insert into observers.search_feed (stream, index_name, generation, state, system_identifier, previous)
     select 'main', 'audit', 1, 'live', (select system_identifier::text from pg_control_system()), '3:3:'`,
  );
  expect(await removed()).not.toHaveProperty('change_log');
  expect((await statusOf()).holds).toMatchObject([{ kind: 'reader', name: 'search index audit 1' }]);
  expect(await history.kept()).toEqual(changes);
  await database.query('update observers.search_feed set active = false');
  expect(await removed()).toMatchObject({ change_log: 3 });
});

test('what a backfill has written stays until it is read, however old it looks, and so does the record of one that is not finished', async () => {
  await history.passed('main');
  await database.query(`insert into observers.backfill (id, relation, relid, entity, observers, keys, started_by, started_at)
    values (gen_random_uuid(), 'public.orders', 1, 'Order', '{o}', '{id}', 'test', now() - interval '1 year')`);
  const numbers = await history.changes(4, '2 days', 'BACKFILL');
  expect(await removed()).not.toHaveProperty('change_log');
  await history.passed('main');
  expect(await removed()).toMatchObject({ change_log: numbers.length });
  expect(await database.query('select from observers.backfill')).toHaveLength(1);
});

test('a replay that has begun keeps what it has still to send, as long as its token counts; one that was shown keeps the attempts that it goes by', async () => {
  const numbers = await history.changes(6, '2 days');
  await history.day(3, numbers);
  await history.passed('main');
  await database.query(
    "insert into observers.item_set (token, use, content, made_at, expires_at) values ('0123456789ab', 'replay', '{}', now() - interval '3 days', now() + interval '1 h')",
  );
  // Shown three days ago: what was young enough then is kept.
  expect(await removed({ ...SHORTEST, retention: DAY })).toEqual({});
  await database.query("update observers.item_set set made_at = now() - interval '2 minutes'");
  await database.query("insert into observers.replay (id, who, after) values ('0123456789ab', 'test', $1)", [numbers[2]]);
  expect(await removed()).toMatchObject({ change_log: 3, attempt_day: 1 });
  expect(await history.kept()).toEqual(numbers.slice(3));
  expect((await statusOf()).holds).toMatchObject([{ kind: 'replay', name: '0123' }]);
  await database.query("update observers.item_set set cancelled_at = now(), cancelled_by = 'test'");
  expect(await removed()).toMatchObject({ change_log: 3 });
});

test('a day of attempts is dropped whole when every change of it is passed; the tries of what is open move on, and go when it is settled', async () => {
  const numbers = await history.changes(4, '10 days');
  await history.day(9, numbers.slice(0, 2));
  await history.day(8, numbers.slice(2));
  await history.notBegun('main');
  expect(await removed()).toEqual({});
  await history.passed('main');
  await database.query(HISTORY.deadLetter, [numbers[1]]);
  const before = await history.attempts(numbers[1]);
  expect(await removed()).toMatchObject({ attempt_day: 2, change_log: 3 });
  expect(await history.attempts()).toEqual(before);
  expect(await history.days()).toEqual([]);
  expect(await database.query('select from observers.attempt_default')).toHaveLength(1);
  await database.query('update observers.dead_letter set resolved_at = now()');
  expect(await removed()).toMatchObject({ attempt: 1, change_log: 1 });
});

test('a day of which more is open than can be moved in a moment stays, and others go', async () => {
  const numbers = await history.changes(2_002, '10 days');
  await history.day(9, numbers.slice(0, 2_001));
  await history.day(8, numbers.slice(2_001));
  await history.passed('main');
  await database.query(
    `insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at)
     select n, 'o', 'a', 'main', 'e', 'l', 'parked', 1, 'infinity' from unnest($1::bigint[]) n`,
    [numbers.slice(0, 2_001)],
  );
  expect(await removed()).toMatchObject({ attempt_day: 1, change_log: 1 });
  expect(await history.days()).toHaveLength(1);
  expect((await statusOf()).holds).toMatchObject([
    { kind: 'pending', count: 2_001 },
    { kind: 'attempt day', count: 1 },
  ]);
});

test('whoever reads attempts for long delays a drop, and never deliveries: it is tried for a while, and given up with an error', async () => {
  const numbers = await history.changes(1, '10 days');
  await history.day(9, numbers);
  await history.passed('main');
  await database.query('begin');
  await database.query('select from observers.attempt');
  await expect(removed()).rejects.toThrow(/lock timeout/);
  await database.query('commit');
  expect(await removed()).toMatchObject({ attempt_day: 1 });
}, 30_000);

test('settled dead letters with their history, settled quarantine, versions that nothing refers to, operations and what the audit has settled go after their time', async () => {
  await history.passed('main');
  const [open, settled, quarantined, recent] = await history.changes(4, '3 days');
  for (const change of [open, settled, recent]) await database.query(HISTORY.deadLetter, [change]);
  await database.query(
    "update observers.dead_letter set resolved_at = now() - case when change_number = $1 then interval '2 days' else interval '0' end, resolution = 'delivered' where change_number <> $2",
    [settled, open],
  );
  await database.query(
    `insert into observers.dead_letter_event (dead_letter_id, at, what, who) select id, now() - interval '2 days', 'died', 'test' from observers.dead_letter`,
  );
  await database.query(
    "insert into observers.quarantine (change_number, stream, reason, message, resolved_at) values ($1, 'main', 'too_large', '', now() - interval '2 days')",
    [quarantined],
  );
  await database.query(`insert into observers.config_version (hash, source, loaded_by, loaded_at)
    select 'hash ' || i, '', 'test', now() - i * interval '1 day' from unnest(array[9, 8, 7, 6, 5, 0]) i`);
  // Version 1 has led before 2, 2 leads now, 3 is that of a letter; 4 and 5 were loaded since the oldest living instance began.
  await database.query(`insert into observers.config_period (stream, epoch, config_version, previous, after, began_at)
    values ('main', 1, 1, '1:1:', 0, now() - interval '8 days'), ('main', 2, 2, '1:1:', 0, now() - interval '7 days')`);
  await database.query('update observers.dead_letter set config_version = case when resolved_at is null then 3 else 2 end');
  await database.query(
    "insert into observers.listener (id, stream, host, pid, version, started_at) values ('a', 'main', 'h', 1, '1', now() - interval '6 days 1 hour')",
  );
  await database.query('delete from observers.operation');
  await database.query(
    `insert into observers.operation (who, what, items, at) values ('a', 'x: y', '{}', now() - interval '40 days'), ('a', 'x: y', '{}', now() - interval '20 days')`,
  );
  expect(await removed({ ...SHORTEST, retentionDeadLetters: DAY })).toMatchObject({ dead_letter: 1, quarantine: 1, operation: 1 });
  const left = await database.query<{ change: number }>('select change_number::int as change from observers.dead_letter order by 1');
  expect(left.map(({ change }) => change)).toEqual([open, recent]);
  expect(await database.query('select from observers.dead_letter_event')).toHaveLength(2);
  expect(await history.versions()).toEqual([2, 3, 4, 5, 6]);
  await database.query('delete from observers.listener; update observers.dead_letter set config_version = 2');
  await removed();
  expect(await history.versions()).toEqual([2, 6]);
  expect(await database.query<{ what: string }>("select what from observers.operation where what like 'retention%'")).toHaveLength(2);
});

test('the role of the service may delete no operation by itself, and none that is younger than thirty days', async () => {
  await database.query("insert into observers.operation (who, what, items, at) values ('a', 'x: y', '{}', now() - interval '29 days')");
  await expect(pool.query('delete from observers.operation')).rejects.toThrow(/permission denied/);
  const { rows } = await pool.query<{ cut: number }>("select observers.cut_operations(interval '0', 100) as cut");
  expect(rows).toEqual([{ cut: 0 }]);
});

test('two that remove at the same time remove everything once, and move nothing twice', async () => {
  const numbers = await history.changes(6_000, '10 days');
  await history.day(9, numbers.slice(0, 3_000));
  await history.day(8, numbers.slice(3_000));
  await history.passed('main');
  for (const change of [numbers[0], numbers[4_000]]) await database.query(HISTORY.deadLetter, [change]);
  const before = [...(await history.attempts(numbers[0])), ...(await history.attempts(numbers[4_000]))];
  const other = createPool(asServiceRole(database.url), 2);
  const runs = await Promise.all([removeAll(pool), removeAll(other)]);
  await other.end();
  const sum = (what: string): number =>
    runs.flatMap((run) => run.removed.filter((one) => one.what === what)).reduce((all, { count }) => all + count, 0);
  expect({ changes: sum('change_log'), days: sum('attempt_day') }).toEqual({ changes: 5_998, days: 2 });
  expect(await history.kept()).toEqual([numbers[0], numbers[4_000]]);
  expect(await history.attempts()).toEqual(before);
}, 60_000);

test('whoever puts an old dead letter back into the queue waits for the batch that is being cut, and the other way round', async () => {
  const [change] = await history.changes(1, '2 days');
  await history.passed('main');
  await database.query(HISTORY.deadLetter, [change]);
  await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'discarded'");
  await database.query('begin');
  await database.query('select pg_advisory_xact_lock_shared(1868718693, 4)');
  await database.query('update observers.dead_letter set resolved_at = null, resolution = null');
  const running = removed();
  await untilRows(database, "select from pg_locks where locktype = 'advisory' and objid = 4 and not granted", 1);
  await database.query('commit');
  expect(await running).not.toHaveProperty('change_log');
  expect(await history.kept()).toEqual([change]);
});

test('of a log that another application made nothing is removed unless a setting says so, and never what was there before', async () => {
  await database.drop();
  database = await createTestDatabase({ migrate: false });
  history = new History(database);
  await pool.end();
  await database.query(`create schema core; create table core.tb_entity_change_log (pk_entity_change_log bigint generated by default as identity primary key,
    id uuid not null default gen_random_uuid(), object_type text not null, modification_type text not null, object_data jsonb, created_at timestamptz default now());
    insert into core.tb_entity_change_log (object_type, modification_type, created_at) values ('Old', 'INSERT', now() - interval '9 years')`);
  await runMigrations(database.url);
  pool = createPool(asServiceRole(database.url), 4);
  const numbers = await history.changes(3, '30 days');
  await history.day(20, numbers);
  await history.passed('main');
  expect(await removed()).toEqual({ attempt_day: 1 });
  expect(await statusOf()).toMatchObject({ logAdopted: true });
  expect((await statusOf()).tables.find(({ table }) => table === 'change_log')).toMatchObject({ keeps: null });
  expect(await removed({ ...SHORTEST, retentionLog: DAY })).toEqual({ change_log: 3 });
  expect(await database.query("select from core.tb_entity_change_log where object_type = 'Old'")).toHaveLength(1);
});
