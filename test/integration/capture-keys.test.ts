import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { planCapture } from '../../src/change-log/capture/capture';

// What a key may be besides a number: nothing, a date, a text that is equal to another one, a value that is computed.

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const query = (sql: string): Promise<unknown> => database.query(sql);

/** Verb, key, and the data of before and after. */
async function recorded(): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    `select concat_ws(' ', modification_type, coalesce(object_key, '(null)'), object_data_before::text, '>', object_data::text, extra_metadata::text) as text
     from core.tb_entity_change_log order by pk_entity_change_log`,
  );
  await query('truncate core.tb_entity_change_log');
  return rows.map(({ text }) => text);
}

const briefly = (changes: string[]): string[] => changes.map((text) => text.split(' ', 2).join(' '));

describe('a key that may be null', () => {
  beforeEach(async () => {
    await query('create table t (code text unique, v int)');
  });

  test.each(['insert into t values (null, 1)', 'insert into t values (null, 1), (null, 1)'])(
    '%s: what becomes of such rows is recorded',
    async (insert) => {
      await database.capture('public.t', { key: ['code'] });
      await query(insert);
      const rows = (await recorded()).length;
      const each = (text: string): string[] => Array.from({ length: rows }, () => text);
      await query('update t set v = 2');
      expect(await recorded()).toEqual(each('UPDATE (null) {"code":null,"v":1} > {"code":null,"v":2}'));
      await query('update t set code = v || random()::text, v = 3; update t set v = 4; update t set code = null, v = 5');
      const verbs = (await recorded()).map((text) => text.replace(/^(\w+) (\S+) .*$/, (_, verb, key) => `${verb} ${key === '(null)' ? key : 'key'}`)); // prettier-ignore
      expect(verbs).toEqual(['DELETE (null)', 'INSERT key', 'UPDATE key', 'DELETE key', 'INSERT (null)'].flatMap(each));
      await query('delete from t');
      expect(await recorded()).toEqual(each('DELETE (null) {"code":null,"v":5} >'));
    },
  );

  test('a logical apply worker changes such a row, which is recorded', async () => {
    await query(`create subscription nobody connection 'dbname=none' publication none with (connect = false, slot_name = none);
      insert into pg_subscription_rel (srsubid, srrelid, srsubstate) select oid, 't'::regclass, 'r' from pg_subscription where subname = 'nobody'`);
    try {
      await database.capture('public.t', { key: ['code'] });
      await query("set session_replication_role = replica; insert into t values (null, 1); update t set v = 2; update t set code = 'a'");
      expect(briefly(await recorded())).toEqual(['INSERT (null)', 'UPDATE (null)', 'DELETE (null)', 'INSERT a']);
    } finally {
      await query('set session_replication_role = origin; drop subscription nobody');
    }
  });

  test("the user's write goes on where triggers of others disturb it", async () => {
    await query(`create function other() returns trigger language plpgsql as $$ begin update t set v = v + 1 where code = 'a'; return new; end $$;
      create trigger aa before insert on t for each row execute function other()`);
    await database.capture('public.t', { key: ['code'] });
    await query("insert into t values ('a', 1)");
    await query("insert into t values (null, 1), (null, 2), ('b', 3)");
    expect(briefly(await recorded()).sort()).toEqual([
      ...['INSERT (null)', 'INSERT (null)', 'INSERT a', 'INSERT b', 'UPDATE a', 'UPDATE a', 'UPDATE a'],
    ]);
  });
});

test('a key that is computed when the row is stored: triggers of others do not break the write, and the order holds', async () => {
  await query(`create table t (n int, v int, id text generated always as ('k' || n) stored primary key);
    create function other() returns trigger language plpgsql as $$ begin update t set v = v + 1 where n = new.n - 1; return new; end $$;
    create trigger aa before insert on t for each row execute function other()`);
  await database.capture('public.t');
  await query('insert into t values (1, 0), (2, 0), (3, 0)');
  expect(briefly(await recorded())).toEqual(['INSERT k1', 'UPDATE k1', 'INSERT k2', 'UPDATE k2', 'INSERT k3']);
});

describe('texts that a collation takes for equal', () => {
  beforeEach(async () => {
    await query(`create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table t (id text collate ci primary key, mail text collate ci)`);
  });

  test('a key that is written another way is another key', async () => {
    await database.capture('public.t');
    await query("insert into t values ('A'), ('B')");
    await recorded();
    await query("update t set id = 'a' where id = 'A'; update t set id = lower(id)");
    expect(briefly(await recorded())).toEqual(['DELETE A', 'INSERT a', 'DELETE B', 'UPDATE a', 'INSERT b']);
  });

  test('a condition compares as the table does', async () => {
    await database.capture('public.t', { when: "mail = 'ANN'" });
    await query("insert into t values ('1', 'ann'), ('2', 'bob')");
    await query("insert into t values ('3', 'Ann')");
    expect(briefly(await recorded())).toEqual(['INSERT 1', 'INSERT 3']);
    expect((await planCapture(database.client, [captureOf('public.t', { when: "mail = 'ANN'" })]))[0]!.state).toBe('current');
  });
});

test.each([
  ['date', "'2026-01-02'", '2026-01-02'],
  ['timestamp', "'2026-01-02 03:04:05'", '2026-01-02 03:04:05'],
  ['timestamptz', "'2026-01-02 03:04:05+00'", '2026-01-02 03:04:05+00'],
  ['date[]', "array['2026-01-02'::date]", '{2026-01-02}'],
])('a key or a mask of %s does not depend on how the writer has dates written', async (type, value, text) => {
  await query(
    `create domain d as ${type}; create table t (id ${type} primary key, v int); create table m (id int primary key, v ${type}, w d)`,
  );
  await database.capture('public.t', { entity: 'T' });
  await database.capture('public.m', { entity: 'M', mask: { v: 'hash', w: 'hash' } });
  await query("set datestyle = 'German'; set timezone = 'Asia/Tokyo'");
  await query(`insert into t values (${value}, 1); insert into m values (1, ${value}, ${value})`);
  await query("set datestyle = 'SQL, MDY'; set timezone = 'America/New_York'; update t set v = 2; update m set id = 1");
  const rows = await database.query<{ key: string; data: string; before: string | null; changed: string[] | null }>(
    `select object_key as key, object_data::text as data, object_data_before::text as before, updated_fields as changed
     from core.tb_entity_change_log order by object_type, pk_entity_change_log`,
  );
  expect(rows.map(({ key }) => key)).toEqual(['1', '1', text, text]);
  expect(rows[1]).toMatchObject({ before: rows[0]!.data, changed: [] });
});

test.each(['regclass', 'regtype', 'regclass[]', 'named'])(
  'data of type %s do not depend on the search path of the writer',
  async (type) => {
    await query(`create type public.named as (name regclass); create table a (i int)`);
    const value = { regclass: "'a'", regtype: "'named'", 'regclass[]': "array['a'::regclass]", named: "row('a')" }[type];
    await query(`create table t (id int primary key, v ${type})`);
    await database.capture('public.t');
    await query(`insert into t values (1, ${value})`);
    await query("set search_path = ''; update public.t set id = 1");
    const [row] = await database.query(
      'select count(distinct v)::int as written from (select object_data::text as v from core.tb_entity_change_log) q',
    );
    expect(row).toEqual({ written: 1 });
  },
);

test('types of the users that are called as one of ours are not taken for it', async () => {
  await query(`create schema s; create domain s.uuid as text; create type s.date as (t timestamptz);
    create table t (id s.uuid primary key, d s.date)`);
  const [plan] = await planCapture(database.client, [captureOf('public.t', { tenant: 'id' })]);
  expect(plan).toMatchObject({ state: 'impossible', reasons: [expect.stringContaining('the tenant column id is s.uuid')] });
  await database.capture('public.t');
  await query("set timezone = 'UTC'; insert into t values ('x', row('2026-01-02 00:00:00+00'))");
  await query("set timezone = 'Asia/Tokyo'; update t set id = id");
  const data = '{"id":"x","d":{"t":"2026-01-02T00:00:00+00:00"}}';
  expect(await recorded()).toEqual([`INSERT x > ${data}`, `UPDATE x ${data} > ${data}`]);
  const [function_] = await database.query<{ body: string }>(
    "select prosrc as body from pg_proc where proname ~ '^capture_public_t_.*_insert$'",
  );
  expect(function_!.body).not.toContain('$object_id');
});
