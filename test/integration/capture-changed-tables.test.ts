import { changedColumns } from '../../src/event/changed-columns';
import { CaptureFunctions0016 } from '../../migrations/0016-capture-functions';
import { checkConditions, planCapture, planRemoval } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { containing, matching } from '../support/texts';

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
  readonly error: string | null;
}

/** Those since the last time. */
async function taken(): Promise<Change[]> {
  const changes = await database.query<Change & Record<string, unknown>>(
    `select object_key as key, modification_type as verb, object_data::text as data, object_data_before::text as before, updated_fields as changed,
       extra_metadata ->> 'capture_error' as error from core.tb_entity_change_log order by pk_entity_change_log`,
  );
  await database.query('delete from core.tb_entity_change_log');
  return changes.map((change) => ({
    ...change,
    changed:
      change.changed ?? (change.verb === 'UPDATE' && change.data && change.before ? changedColumns(change.before, change.data) : null),
  }));
}

const data = ({ data: image }: Change): unknown => (image === null ? null : JSON.parse(image));
const version = async (): Promise<number> =>
  (await database.query<{ v: number }>("select current_setting('server_version_num')::int as v"))[0]!.v;

const BAD_CAST = `create type bad as enum ('good', 'bad');
  create function bad_json(bad) returns json language plpgsql as $$ begin if $1 = 'bad' then raise exception 'no json for this'; end if; return to_json($1::text); end $$;
  create cast (bad as json) with function bad_json(bad)`;

test.each([
  ['a condition', { when: "(payload ->> 'total')::numeric > 0" }, 'when: 22P02'],
  ['a cast of theirs', {}, 'b: P0001 no json for this'],
])('one bad row of a thousand, by %s, is recorded with what can be had of it, and the others whole', async (_, options, error) => {
  await database.query(BAD_CAST);
  // Whoever owns the functions may not use the schema.
  await database.query('create schema shop; create table shop.t (id int primary key, payload jsonb, b public.bad)');
  await database.capture('shop.t', options);
  const rows = `select i, case when i = 500 then '{"total": "abc"}' else '{"total": 1}' end::jsonb, (case when i = 500 then 'bad' else 'good' end)::public.bad from generate_series(1, 1000) i`;
  const expectAll = async (verb: string, image: 'data' | 'before'): Promise<void> => {
    const changes = await taken();
    expect(changes.map(({ key }) => Number(key)).sort((one, other) => one - other)).toEqual(
      Array.from({ length: 1000 }, (_item, i) => i + 1),
    );
    expect(new Set(changes.map((change) => change.verb))).toEqual(new Set([verb]));
    const bad = changes.filter((change) => change.error !== null);
    expect(bad).toMatchObject([{ key: '500', error: containing(error) }]);
    expect(bad[0]![image]).toContain('"total": "abc"');
    expect(changes.filter((change) => change[image] === null)).toEqual([]);
  };
  await database.query(`insert into shop.t ${rows}`);
  await expectAll('INSERT', 'data');
  await database.query('update shop.t set payload = payload || \'{"more": 1}\'');
  await expectAll('UPDATE', 'data');
  await database.query(`insert into shop.t ${rows} on conflict (id) do update set payload = excluded.payload`);
  await expectAll('UPDATE', 'data');
  await database.query('delete from shop.t');
  await expectAll('DELETE', 'before');
});

test('masks hold by the column, through renames, swaps, additions, other types and drops, and the rest of the row stays', async () => {
  await database.query('create table t (id int primary key, a text, secret text, hidden text)');
  await database.capture('public.t', { mask: { secret: 'hash' }, exclude: ['hidden'] });
  const steps = [
    [
      'alter table t rename a to tmp; alter table t rename secret to a; alter table t rename tmp to secret',
      "insert into t values (1, 'open', 'CANARY-1', 'CANARY-2')",
      ['id', 'secret', 'a'],
    ],
    [
      'alter table t rename a to b; alter table t add a text; alter table t add extra text',
      "update t set a = 'open', extra = 'open', b = 'CANARY-3'",
      ['id', 'secret', 'b', 'a', 'extra'],
    ],
    ['alter table t alter b type bytea using b::bytea', "update t set b = 'CANARY-4'", ['id', 'secret', 'b', 'a', 'extra']],
    [
      'alter table t drop b; alter table t rename hidden to b',
      "update t set secret = 'more open', b = 'CANARY-5'",
      ['id', 'secret', 'a', 'extra'],
    ],
    ['alter table t drop secret', "insert into t values (2, 'CANARY-6', 'a', 'e'), (3, 'CANARY-6', 'a', 'e')", ['id', 'a', 'extra']],
  ] as const;
  for (const [alter, write, columns] of steps) {
    await database.query(alter);
    await database.query(write);
    const changes = await taken();
    expect(JSON.stringify(changes)).not.toMatch(/CANARY|434e/i);
    for (const change of changes) expect(change).toMatchObject({ error: null, key: matching(/^\d$/) });
    for (const change of changes) expect(Object.keys(data(change) as object)).toEqual(columns);
  }
  await database.query("alter table t drop id; update t set a = 'keyless'");
  const keyless = await taken();
  expect(keyless.map(({ key, error }) => ({ key, error }))).toEqual(Array(3).fill({ key: null, error: 'key: a column is gone' }));
  expect(JSON.stringify(keyless)).toContain('keyless');
  expect(JSON.stringify(keyless)).not.toMatch(/CANARY/);
});

test('a column that is added is recorded at once where columns are excluded, and not where they are listed; changed has it, and check tells', async () => {
  await database.query(
    'create table t (id int primary key, a text, x text); create table u (like t including all); create table v (like t including all); create table w (like t including all)',
  );
  const captures = [
    captureOf('public.t', { exclude: ['x'] }),
    captureOf('public.u', { include: ['id', 'a'] }),
    captureOf('public.v', { before: false }),
    captureOf('public.w'),
  ];
  for (const { table, ...options } of captures) await database.capture(table, options);
  const found: unknown[] = [];
  for (const table of ['t', 'u', 'v', 'w']) {
    await database.query(
      `alter table ${table} add added text; insert into ${table} values (1, 'a', 'x', 'new'); update ${table} set added = 'newer'`,
    );
    const [insert, update] = await taken();
    found.push([data(insert!), update!.changed]);
  }
  expect(found).toEqual([
    [{ id: 1, a: 'a', added: 'new' }, ['added']],
    [{ id: 1, a: 'a' }, []],
    [{ id: 1, a: 'a', x: 'x', added: 'new' }, ['added']],
    [{ id: 1, a: 'a', x: 'x', added: 'new' }, ['added']],
  ]);
  expect((await planCapture(database.client, captures)).map(({ reasons }) => reasons)).toEqual(
    Array(4).fill(['columns added since: added']),
  );
});

test('virtual generated columns are in images, in changed and in conditions, and cost no more than themselves when they fail', async () => {
  if ((await version()) < 180000) return;
  await database.query(`create table t (id int primary key, l numeric, "per %s" numeric generated always as (l / (10 - l)) virtual, g text generated always as (upper('%1$s' || l)) virtual, s numeric generated always as (l * 2) stored);
    create table only_virtual (id int primary key, v int generated always as (id * 2) virtual)`);
  await database.capture('public.t');
  await database.capture('public.only_virtual');
  await database.query('insert into t values (1, 5)');
  await database.query('update t set l = 6');
  await database.query('update t set id = 2');
  await database.query('insert into t values (3, 1), (4, 10)');
  await database.query('insert into only_virtual values (1)');
  const [insert, update, remove, moved, three, four, only] = await taken();
  expect(data(insert!)).toEqual({ id: 1, l: 5, 'per %s': 1, g: '%1$S5', s: 10 });
  expect(update).toMatchObject({ before: insert!.data, changed: ['l', 'per %s', 'g', 's'] });
  expect(remove!.before).toBe(update!.data);
  expect(data(moved!)).toEqual({ id: 2, l: 6, 'per %s': 1.5, g: '%1$S6', s: 12 });
  expect(three!.error).toBeNull();
  expect(four).toMatchObject({ key: '4', error: 'per %s: 22012 division by zero' });
  expect(data(four!)).toEqual({ id: 4, l: 10, 'per %s': null, g: '%1$S10', s: 20 });
  expect(data(only!)).toEqual({ id: 1, v: 2 });
  await database.query('delete from t');
  await taken();
  await database.capture('public.t', { mask: { g: 'hash', 'per %s': 'drop' }, when: '"per %s" > 0', before: false });
  for (const change of ['', 'alter table t rename s to renamed']) {
    if (change !== '') await database.query(change);
    await database.query('insert into t values (1, 5), (2, 11); update t set l = 4; delete from t');
    const changes = await taken();
    expect(changes.map(({ key, verb }) => `${verb} ${key}`)).toEqual(['INSERT 1', 'UPDATE 1', 'UPDATE 2', 'DELETE 1', 'DELETE 2']);
    expect(changes[1]!.changed).toEqual(['l', 'per %s', 'g', change === '' ? 's' : 'renamed']);
    expect(data(changes[0]!)).toMatchObject({ id: 1, l: 5, g: matching(/^[0-9a-f]{64}$/) });
    expect(changes[0]!.data).not.toContain('per %s');
  }
});

const CONDITIONS = `create type mood as enum ('ok', 'bad'); create function positive(int) returns bool language sql as 'select $1 > 0';
  create table other (id int); create table t (id int primary key, v int, m mood, "Mixed" text)`;

test.each([
  ['new.v > 1', /missing FROM-clause entry for table "new"/],
  ['t.v > 1', /missing FROM-clause entry for table "t"/],
  ['v >> ', /syntax error/],
  ['vv > 1', /column "vv" does not exist/],
  ['v > 0) or (true', /syntax error/],
  ['v > 0; drop table t', /syntax error/],
  ['true then true when true', /syntax error/],
  ['', /syntax error/],
  ['v', /must be type boolean/],
  ["m = 'okk'", /invalid input value for enum mood/],
  ['count(*) > 1', /aggregate functions are not allowed/],
  ['generate_series(1, 2) > 1', /set-returning functions are not allowed/],
  ['positve(v)', /function positve\(integer\) does not exist/],
  ['exists (select from other)', /permission denied for table other \(it is called as the role observers_capture/],
])('the condition %j is refused before it is applied, in the words of the database', async (when, message) => {
  await database.query(CONDITIONS);
  await expect(checkConditions(database.client, [captureOf('public.t', { when })])).rejects.toMatchObject({
    message: matching(message),
    remedy: containing('by their bare names: id, v, m, "Mixed"'),
  });
});

test('a condition means what it meant when it was applied, whatever is renamed; what it has no answer to is recorded with its data', async () => {
  await database.query(CONDITIONS);
  const when = `m = 'ok' and positive(v) and coalesce("Mixed", '') <> 'positive' -- a comment`;
  await checkConditions(database.client, [captureOf('public.t', { when })]);
  await database.capture('public.t', { when });
  const keys = async (): Promise<string[]> => (await taken()).map(({ key, error }) => `${key}${error === null ? '' : ` ${error}`}`);
  await database.query(
    "insert into t values (1, 1, 'ok', null), (2, 1, 'bad', null), (3, -1, 'ok', null), (4, null, 'ok', null), (5, 1, 'ok', 'positive')",
  );
  expect(await keys()).toEqual(['1']);
  await database.query(
    "alter table t rename v to w; alter function positive(int) rename to more; alter type mood rename to temper; alter type temper rename value 'ok' to 'fine'",
  );
  await database.query("insert into t values (11, 1, 'fine'), (12, 1, 'bad'), (13, -1, 'fine')");
  expect(await keys()).toEqual(['11']);
  await database.query('alter table t alter w type bigint');
  await database.query("insert into t values (21, 1, 'fine'), (22, 1, 'bad'), (23, 5000000000, 'fine')");
  expect(await keys()).toEqual(['21', '23 when: 22003 value "5000000000" is out of range for type integer']);
  await database.query("alter table t drop w; insert into t values (31, 'fine')");
  expect(await keys()).toEqual(['31 when: a column is gone']);
});

test('a citext column is compared as citext', async () => {
  const [available] = await database.query("select from pg_available_extensions where name = 'citext'");
  if (available === undefined) return;
  await database.query('create extension citext; create table t (id int primary key, email citext)');
  await database.capture('public.t', { when: "email = 'ADMIN@example.org'" });
  await database.query("insert into t values (1, 'admin@EXAMPLE.org'), (2, 'x')");
  expect((await taken()).map(({ key }) => key)).toEqual(['1']);
});

test('a key of 4 MB, and what a session has set of 10 MB, fail no write', async () => {
  await database.query('create table t (key text, v int, tenant uuid)');
  await database.capture('public.t', { key: ['key'], tenant: 'tenant' });
  for (const setting of ['traceparent', 'tracestate', 'cause'])
    await database.query(`select set_config('observers.${setting}', repeat('0123456789', 1000000), false) is null`);
  await database.query("insert into t values (repeat('0123456789abcdef', 262144), 1)");
  await database.query('update t set v = 2');
  await database.query("insert into t select 'k' || i, 1 from generate_series(1, 100) i; delete from t");
  const changes = await database.query(
    'select max(length(object_key)) as key, count(*)::int as n, max(length(trace_context::text)) < 20000 as cut, count(extra_metadata)::int as bad from core.tb_entity_change_log',
  );
  expect(changes).toEqual([{ key: 4_194_304, n: 203, cut: true, bad: 0 }]);
});

test('a log that was adopted with jsonb fails no write, and one value that jsonb does not take costs nothing but itself', async () => {
  await database.query(
    'alter table core.tb_entity_change_log alter object_data type jsonb using null, alter object_data_before type jsonb using null; create table t (id int primary key, j json)',
  );
  await database.capture('public.t');
  await database.query(
    `insert into t values (1, '{"a": "\\u0000"}'); insert into t values (2, '{"a": "\\u0000"}'), (3, '{"a": "ok"}'); update t set id = id + 10; delete from t`,
  );
  const changes = await taken();
  expect(changes.filter(({ error }) => error === null).map(({ key, verb }) => `${verb} ${key}`)).toEqual([
    'INSERT 3',
    'DELETE 3',
    'INSERT 13',
    'DELETE 13',
  ]);
  expect(changes).toHaveLength(12);
  expect(data(changes[0]!)).toEqual({ id: 1, j: null });
});

test('records of earlier versions, which had no quotes, are found again, and the capture is removed by the name that is printed', async () => {
  await database.query(
    'create table "My Table" (id int primary key); create table "Users" (id int primary key); create table users (id int primary key)',
  );
  for (const name of ['"My Table"', '"Users"']) await database.capture(`public.${name}`);
  await database.query(`update observers.captured_table set relid = null, functions = null, relation = replace(relation, '"', '')`);
  await new CaptureFunctions0016().up({ query: (sql: string) => database.query(sql) } as never);
  const plans = await planCapture(database.client, []);
  expect(plans.map(({ table }) => table).sort()).toEqual(['public."My Table"', 'public."Users"']);
  for (const { table } of plans) for (const statement of await planRemoval(database.client, table)) await database.query(statement);
  expect(await database.query("select from pg_trigger where tgname like '%observers_capture%'")).toEqual([]);
});
