import { changedColumns } from '../../src/event/changed-columns';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

interface Change {
  readonly key: string | null;
  readonly verb: string;
  readonly data: string | null;
  readonly before: string | null;
  readonly changed: string[] | null;
  readonly extra: Record<string, unknown> | null;
}

/** As an event has them: where both images are there, readers compare these. */
const changes = async (): Promise<Change[]> =>
  (await stored()).map((change) => ({
    ...change,
    changed:
      change.changed ?? (change.verb === 'UPDATE' && change.data && change.before ? changedColumns(change.before, change.data) : null),
  }));

const stored = (): Promise<Change[]> =>
  database.query<never>(`select object_key as key, modification_type as verb, object_data::text as data, object_data_before::text as before,
    updated_fields as changed, extra_metadata as extra from core.tb_entity_change_log order by pk_entity_change_log`);

const brief = async (): Promise<string[]> => (await changes()).map(({ key, verb }) => `${verb} ${key}`);

test('insert, update and delete are recorded with images, changed columns and the exact digits', async () => {
  await database.query('create table orders (id int8 primary key, total numeric, f float8, ts timestamptz, b bytea)');
  await database.capture('public.orders');
  await database.query("insert into orders values (9007199254740993, 12345678901234567890.10, 'NaN', '2026-01-02 03:04:05+02', '\\x00ff')");
  await database.query('update orders set total = 2');
  await database.query('delete from orders');
  const [insert, update, remove] = await changes();
  expect(insert).toMatchObject({ key: '9007199254740993', verb: 'INSERT', before: null, changed: null });
  expect(insert!.data).toBe(
    '{"id":9007199254740993,"total":12345678901234567890.10,"f":"NaN","ts":"2026-01-02T01:04:05+00:00","b":"\\\\x00ff"}',
  );
  expect(update).toMatchObject({ verb: 'UPDATE', before: insert!.data, changed: ['total'] });
  expect(remove).toMatchObject({ verb: 'DELETE', data: null, before: update!.data });
});

test("the payload does not depend on the writer's session", async () => {
  await database.query('create table t (id int primary key, ts timestamptz, i interval, b bytea, f float8, d date)');
  await database.capture('public.t');
  const row = "'2026-01-02 03:04:05+00', '1 day 2 hours', '\\x01', 0.1 + 0.2, '2026-01-02'";
  await database.query(`insert into t values (1, ${row})`);
  await database.query(
    `set timezone = 'Asia/Tokyo'; set intervalstyle = 'iso_8601'; set bytea_output = 'escape'; set extra_float_digits = -10; set datestyle = 'German'; set search_path = ''`,
  );
  await database.query(`insert into public.t values (1 + 1, ${row.replace("'2026-01-02')", "'02.01.2026')")})`);
  const [one, two] = await changes();
  expect(two!.data!.replace('"id":2', '"id":1')).toBe(one!.data);
});

test('a changed key is a delete of the old and an insert of the new one, deletes first, so that a chain ends well', async () => {
  await database.query('create table t (id int primary key deferrable initially deferred, v int)');
  await database.capture('public.t');
  await database.query('insert into t values (1, 1), (2, 2)');
  await database.query('update t set id = id + 1');
  expect((await brief()).slice(2)).toEqual(['DELETE 1', 'DELETE 2', 'INSERT 2', 'INSERT 3']);
});

test.each([
  ['uuid', "'4b7a3c1e-0000-4000-8000-000000000001'", '4b7a3c1e-0000-4000-8000-000000000001'],
  ['text', 'E\'a\\nb "c"\'', 'a\nb "c"'],
  ['int8', '9223372036854775807', '9223372036854775807'],
])('a key of type %s is recorded as its text', async (type, literal, text) => {
  await database.query(`create table t (id ${type} primary key)`);
  await database.capture('public.t');
  await database.query(`insert into t values (${literal})`);
  expect((await changes())[0]!.key).toBe(text);
});

test('a composite key is a JSON array in the order of the key', async () => {
  await database.query('create table t (b text, a int, v int, primary key (a, b))');
  await database.capture('public.t');
  await database.query("insert into t values ('x', 7, 1)");
  await database.query('update t set v = 2');
  expect(await brief()).toEqual(['INSERT [7, "x"]', 'UPDATE [7, "x"]']);
});

test('upsert, MERGE, COPY, cascades and CTE writes are recorded, each row once', async () => {
  await database.query(
    'create table p (id int primary key, v int); create table c (id int primary key, p int references p on delete cascade)',
  );
  await database.capture('public.p', { entity: 'P' });
  await database.capture('public.c', { entity: 'C' });
  await database.query('insert into p values (1, 1)');
  await database.query('insert into p values (1, 2), (2, 2) on conflict (id) do update set v = excluded.v');
  await database.query('insert into c values (1, 1), (2, 1)');
  await database.query('with d as (delete from p where id = 2 returning id) insert into p select id + 10, 0 from d');
  await database.query('delete from p where id = 1');
  expect(await brief()).toEqual([
    'INSERT 1',
    'UPDATE 1',
    'INSERT 2',
    'INSERT 1',
    'INSERT 2',
    'DELETE 2',
    'INSERT 12',
    'DELETE 1',
    'DELETE 1',
    'DELETE 2',
  ]);
  const [{ v } = { v: 0 }] = await database.query<{ v: number }>("select current_setting('server_version_num')::int as v");
  if (v < 150000) return;
  await database.query(
    'merge into p using (values (12, 5), (13, 5)) s(id, v) on p.id = s.id when matched then update set v = s.v when not matched then insert values (s.id, s.v)',
  );
  expect((await brief()).slice(10).sort()).toEqual(['INSERT 13', 'UPDATE 12']);
});

test('TRUNCATE is one custom change, of a partitioned table too', async () => {
  await database.query(
    'create table t (id int primary key, v int) partition by range (id); create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (20)',
  );
  await database.capture('public.t');
  await database.query('truncate t');
  expect(await changes()).toMatchObject([{ key: null, verb: 'CUSTOM', extra: { truncate: true, table: 'public.t' } }]);
});

test('partitions: routed rows, rows that move, and direct writes to a partition are recorded once', async () => {
  await database.query(
    'create table t (id int, r int, v int, primary key (id, r)) partition by range (r); create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (20)',
  );
  await database.capture('public.t', { key: ['id'] });
  await database.query('insert into t values (1, 1, 0), (2, 11, 0)');
  await database.query('insert into t1 values (3, 3, 0)');
  await database.query('update t set r = 12 where id = 1');
  await database.query('delete from t2 where id = 2');
  expect(await brief()).toEqual(['INSERT 1', 'INSERT 2', 'INSERT 3', 'UPDATE 1', 'DELETE 2']);
});

test('excluded columns do not exist, hashed ones hide their value, dropped ones are named when they change', async () => {
  await database.query('create table t (id int primary key, email text, card text, note text)');
  await database.capture('public.t', { exclude: ['note'], mask: { email: 'hash', card: 'drop' } });
  await database.query("insert into t values (1, 'a@example.org', '4111', 'private')");
  await database.query("update t set card = '4222', note = 'more'");
  const [insert, update] = await changes();
  expect(Object.keys(JSON.parse(insert!.data!) as object)).toEqual(['id', 'email']);
  expect((JSON.parse(insert!.data!) as { email: string }).email).toMatch(/^[\da-f]{64}$/);
  expect(update!.changed).toEqual(['card']);
  expect(JSON.stringify(await changes())).not.toMatch(/4111|4222|private|example/);
});

test('only rows for which the filter holds are recorded', async () => {
  await database.query('create table t (id int primary key, status text)');
  await database.capture('public.t', { when: "status <> 'draft'" });
  await database.query("insert into t values (1, 'draft'), (2, 'open')");
  await database.query("update t set status = 'open'");
  await database.query("update t set status = 'draft' where id = 1");
  expect(await brief()).toEqual(['INSERT 2', 'UPDATE 1', 'UPDATE 2']);
});

test('what an application mediates or mutes is not recorded, and session_replication_role does not switch recording off', async () => {
  await database.query('create table t (id int primary key)');
  await database.capture('public.t');
  await database.query("begin; set local fraiseql.cdc_mediated = 'on'; insert into t values (1); commit");
  await database.query("begin; set local observers.mute = 'on'; insert into t values (2); commit");
  await database.query('begin; set local session_replication_role = replica; insert into t values (3); commit');
  expect(await brief()).toEqual(['INSERT 3']);
});

test("the user's write succeeds when a json column holds U+0000, and the bytes are kept", async () => {
  await database.query('create table t (id int primary key, j json)');
  await database.capture('public.t');
  await database.query(`insert into t values (1, '{"a":"\\u0000","a":"\\ud800"}')`);
  expect((await changes())[0]!.data).toBe('{"id":1,"j":{"a":"\\u0000","a":"\\ud800"}}');
});

test("the user's write succeeds when the image cannot be made, and the change is recorded with its key and the error", async () => {
  await database.query(`create table t (id int primary key, v text); create type bad as enum ('x');
    create function bad_json(bad) returns json language plpgsql as $$ begin raise exception 'this cast always fails'; end $$;
    create cast (bad as json) with function bad_json(bad); alter table t add column b bad`);
  await database.capture('public.t');
  await database.query("insert into t values (1, 'x', 'x')");
  const [change] = await changes();
  expect(change).toMatchObject({ key: '1', verb: 'INSERT', data: '{"id":1,"v":"x","b":null}' });
  expect(change!.extra!['capture_error']).toContain('this cast always fails');
  expect(await database.query('select id from t')).toEqual([{ id: 1 }]);
});

test("with strict the user's write fails instead", async () => {
  await database.query(`create table t (id int primary key); create type bad as enum ('x');
    create function bad_json(bad) returns json language plpgsql as $$ begin raise exception 'this cast always fails'; end $$;
    create cast (bad as json) with function bad_json(bad); alter table t add column b bad`);
  await database.capture('public.t', { strict: true });
  await expect(database.query("insert into t values (1, 'x')")).rejects.toThrow('this cast always fails');
});

test('columns that are added, renamed or dropped under way lose nothing, and check tells', async () => {
  await database.query('create table t (id int primary key, a int, b int)');
  await database.capture('public.t');
  await database.query('insert into t values (1, 1, 1)');
  await database.query('alter table t add column c int default 7; alter table t rename column a to a2; alter table t drop column b');
  await database.query('update t set a2 = 2, c = 8');
  const [, update] = await changes();
  expect(JSON.parse(update!.data!)).toEqual({ id: 1, a2: 2, c: 8 });
  expect(update!.changed!.sort()).toEqual(['a2', 'c']);
  const [plan] = await planCapture(database.client, [captureOf('public.t')]);
  expect(plan).toMatchObject({ state: 'drifted', reasons: ['columns added since: a2, c', 'columns gone since: a, b'] });
  await applyCapture(database.client, [plan!]);
  expect((await planCapture(database.client, [captureOf('public.t')]))[0]!.state).toBe('current');
});

test('names that need quoting work everywhere', async () => {
  await database.query(`create schema "My Shop"; create table "My Shop"."Or'der" ("I d" int primary key, "sel""ect" text)`);
  await database.capture(`"My Shop"."Or'der"`, { entity: "O'r" });
  await database.query(`insert into "My Shop"."Or'der" values (1, 'x')`);
  await database.query(`update "My Shop"."Or'der" set "sel""ect" = 'y'`);
  expect(await changes()).toMatchObject([{ key: '1', data: '{"I d":1,"sel\\"ect":"x"}' }, { changed: ['sel"ect'] }]);
});

test('a NOTIFY is sent only while a listener sleeps, and PREPARE TRANSACTION works otherwise', async () => {
  await database.query('create table t (id int primary key)');
  await database.capture('public.t');
  const [setting] = await database.query<{ most: number }>("select current_setting('max_prepared_transactions')::int as most");
  // A server of one's own (TEST_DATABASE_URL) may not allow them.
  if (setting?.most === 0) return;
  await database.query("begin; insert into t values (1); prepare transaction 'observers_test'");
  await database.query("commit prepared 'observers_test'");
  expect(await brief()).toEqual(['INSERT 1']);
});

test('an existing FraiseQL change log is adopted without a rewrite, and its history is not delivered', async () => {
  const old = await createTestDatabase({ migrate: false });
  try {
    await old.query(`create schema core; create table core.tb_entity_change_log (
      pk_entity_change_log bigint generated always as identity primary key, object_type text not null, modification_type text not null,
      id uuid not null default gen_random_uuid(), created_at timestamptz not null default now(), tenant_id uuid, fk_customer_org bigint, fk_contact bigint,
      object_id uuid, object_data jsonb, object_data_before jsonb, updated_fields text[], cascade jsonb, duration_ms integer, started_at timestamptz,
      commit_time timestamptz, seq bigint, actor_type text, acting_for uuid, schema_version text, trace_id text, trace_context jsonb, change_status text,
      extra_metadata jsonb, nats_published_at timestamptz, nats_event_id uuid)`);
    await old.query(
      "insert into core.tb_entity_change_log (object_type, modification_type) select 'Old', 'INSERT' from generate_series(1, 1000)",
    );
    const [before] = await old.query<{ file: string }>("select pg_relation_filenode('core.tb_entity_change_log')::text as file");
    const { runMigrations } = await import('../../src/database/migrator');
    expect(await runMigrations(old.url)).toContain('Ledger1700000000003');
    expect(await runMigrations(old.url)).toEqual([]);
    const [after] = await old.query<{ file: string; history: number }>(
      "select pg_relation_filenode('core.tb_entity_change_log')::text as file, (select count(*)::int from core.tb_entity_change_log where change_xid is null) as history",
    );
    expect(after).toEqual({ file: before!.file, history: 1000 });
    await old.query('create table orders (id int primary key)');
    await old.capture('public.orders');
    await old.query('insert into orders values (1)');
    expect(
      await old.query("select object_key, change_xid is not null as new from core.tb_entity_change_log where object_type = 'Order'"),
    ).toEqual([{ object_key: '1', new: true }]);
  } finally {
    await old.drop();
  }
});
