import { Client } from 'pg';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { matching } from '../support/texts';

/** Runs SQL of the table's owner wherever a capture runs, and writes down as whom and what it could do. */
const ATTACK = `
create table public.secret (v text); insert into public.secret values ('CANARY-secret'); revoke all on public.secret from public;
create sequence public.tries; grant all on sequence public.tries to public;
create table public.loot (as_whom text, what text); grant insert, select on public.loot to public;
create schema mallory authorization observers_test_mallory; grant usage on schema mallory to public;
set role observers_test_mallory;
create function mallory.try(statement text) returns void language plpgsql as $$
begin
  execute statement;
  insert into public.loot values (current_user, statement);
exception when others then null;
end $$;
create function mallory.attack() returns void language plpgsql as $$
begin
  perform nextval('public.tries');
  insert into public.loot values (current_user, 'was here');
  perform mallory.try('alter role observers_test_mallory superuser');
  perform mallory.try('set role postgres');
  perform mallory.try('set session authorization postgres');
  perform mallory.try('reset role');
  perform mallory.try('select from public.secret');
  perform mallory.try('insert into public.secret values (1)');
  perform mallory.try('select object_data from core.tb_entity_change_log');
  perform mallory.try('update core.tb_entity_change_log set object_data = null');
  perform mallory.try('delete from core.tb_entity_change_log');
  perform mallory.try('create table observers.mine (v int)');
  perform mallory.try('create table core.mine (v int)');
  perform mallory.try('create function observers.mine() returns int language sql as ''select 1''');
  perform mallory.try('create schema mine');
  perform mallory.try('create role observers_test_mine');
  perform mallory.try('select from observers.captured_table');
  perform mallory.try('update observers.mask_salt set salt = ''x''');
  perform mallory.try('select nextval(''public.private'')');
  perform mallory.try('copy public.loot to program ''true''');
  perform mallory.try('select pg_read_file(''PG_VERSION'')');
  perform mallory.try('alter function observers.capture_settle() owner to observers_test_mallory');
end $$;
create type mallory.e as enum ('a', 'b');
create function mallory.to_json(mallory.e) returns json language plpgsql as $$ begin perform mallory.attack(); return '"json"'; end $$;
create function mallory.to_text(mallory.e) returns text language plpgsql as $$ begin perform mallory.attack(); return 'text'; end $$;
create cast (mallory.e as json) with function mallory.to_json(mallory.e);
create cast (mallory.e as text) with function mallory.to_text(mallory.e);
create function mallory.allowed(int) returns boolean language plpgsql as $$ begin perform mallory.attack(); return $1 > 0; end $$;
create function mallory.computed(int) returns int language plpgsql immutable as $$ begin perform mallory.attack(); return $1; end $$;
create domain mallory.d as int check (mallory.allowed(value));
create table mallory.t (id int primary key, e mallory.e, d mallory.d, c int generated always as (mallory.computed(id)) stored, f int default mallory.computed(1), v text, bad jsonb);
create index on mallory.t (mallory.computed(id));
reset role`;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await database.query(
    `do $$ begin create role observers_test_mallory login password 'mallory'; exception when duplicate_object or unique_violation then null; end $$`,
  );
  await database.query('create sequence public.private; revoke all on sequence public.private from public');
  await database.query(ATTACK);
});
afterEach(() => database.drop());

/** In a session of their own: one of ours could set its role back. */
async function asMallory(work: (mallory: Client) => Promise<unknown>): Promise<void> {
  const url = new URL(database.url);
  url.username = 'observers_test_mallory';
  url.password = 'mallory';
  const mallory = new Client({ connectionString: url.toString() });
  await mallory.connect();
  try {
    await work(mallory);
  } finally {
    await mallory.end();
  }
}

const WRITES = [
  "insert into mallory.t (id, e, d, v, bad) values (1, 'a', 1, 'x', '{}')",
  `insert into mallory.t (id, e, d, v, bad) values (2, 'a', 1, 'x', '{}'), (3, 'b', 1, 'x', '{"n": "abc"}')`,
  "update mallory.t set e = 'b' where id = 1; update mallory.t set v = 'y'; update mallory.t set id = id + 10",
  'alter table mallory.t rename v to w',
  "update mallory.t set w = 'z'; delete from mallory.t where id = 11; delete from mallory.t; truncate mallory.t",
];

test.each([
  ['whole images', {}],
  ['masks and no before-image', { mask: { e: 'hash' as const }, before: false, exclude: ['v'] }],
  ['a key of a type of theirs', { key: ['e'] }],
  ['a composite key of theirs', { key: ['id', 'e', 'd'] }],
  ['a condition that fails', { when: "coalesce((bad ->> 'n')::int, 1) > 0 and mallory.allowed(id)" }],
])('what the owner of a captured table runs in a capture, it runs as a role that can do nothing: %s', async (_, options) => {
  await database.capture('mallory.t', options);
  await asMallory(async (mallory) => {
    for (const statement of WRITES) await mallory.query(statement);
  });
  const [tries] = await database.query<{ called: boolean }>('select is_called as called from public.tries');
  expect(tries).toEqual({ called: true });
  const loot = await database.query<{ whom: string; what: string }>('select distinct as_whom as whom, what from public.loot order by 1, 2');
  expect(loot.filter(({ whom }) => whom === 'observers_capture')).toEqual([{ whom: 'observers_capture', what: 'was here' }]);
  expect([...new Set(loot.map(({ whom }) => whom))].sort()).toEqual(['observers_capture', 'observers_test_mallory']);
  expect(await database.query("select rolsuper as super from pg_roles where rolname = 'observers_test_mallory'")).toEqual([
    { super: false },
  ]);
  expect(await database.query('select from observers.mask_salt')).toHaveLength(1);
});

test('the role that owns capture functions has been granted the log, its order, the salt, two schemas and a sequence, and is no member of any', async () => {
  await database.capture('mallory.t');
  const grants = await database.query<{ what: string }>(`
    select a.privilege_type || ' ' || o.what as what from (
      select c.oid::regclass::text as what, relacl as acl from pg_class c union all select 'function ' || p.oid::regprocedure, proacl from pg_proc p where p.proowner <> 'observers_capture'::regrole
      union all select 'schema ' || nspname, nspacl from pg_namespace union all select 'database', datacl from pg_database where datname = current_database()
      union all select 'type ' || typname, typacl from pg_type union all select 'default', defaclacl from pg_default_acl union all select attname, attacl from pg_attribute
    ) o cross join aclexplode(o.acl) a where a.grantee = 'observers_capture'::regrole order by 1`);
  expect(grants.map(({ what }) => what)).toEqual([
    'EXECUTE function observers.capture_chain(bigint,bigint)',
    'INSERT core.tb_entity_change_log',
    'SELECT observers.mask_salt',
    'USAGE core.tb_entity_change_log_pk_entity_change_log_seq',
    'USAGE schema core',
    'USAGE schema observers',
  ]);
  expect(await database.query("select from pg_auth_members where member = 'observers_capture'::regrole")).toEqual([]);
  expect(await database.query("select from pg_class where relowner = 'observers_capture'::regrole")).toEqual([]);
  expect(
    await database.query(
      `select rolsuper or rolcreaterole or rolcreatedb or rolcanlogin or rolreplication or rolbypassrls as more from pg_roles where rolname = 'observers_capture'`,
    ),
  ).toEqual([{ more: false }]);
  const owned = await database.query<{ name: string }>(
    `select proname as name from pg_proc where proowner = 'observers_capture'::regrole and not (prosecdef and proname like 'capture\\_mallory\\_t\\_%')`,
  );
  expect(owned).toEqual([]);
});

test('only what records changes puts them in another order, and nothing that anybody may call draws a number but of the log', async () => {
  await database.query('create table t (id int primary key)');
  await database.capture('public.t');
  await database.query('insert into t values (1), (2)');
  const log = 'select pk_entity_change_log as n, id, object_key from core.tb_entity_change_log order by 1';
  const before = await database.query(log);
  await database.query(
    'grant usage on schema observers, core to observers_test_mallory; grant insert on core.tb_entity_change_log to observers_test_mallory',
  );
  await asMallory(async (mallory) => {
    const forge =
      "select set_config('observers.open', '', true), set_config('observers.since', '0', true), set_config('observers.book', ',[0, 2, 1], [0, 1, 2], [0, 1, 9, 0]', true)";
    const refused = async (...statements: readonly string[]): Promise<string> => {
      await mallory.query('begin');
      const error = await mallory.query(`${forge}; ${statements.join(';')}`).catch((one: unknown) => one);
      await mallory.query('rollback');
      return error instanceof Error ? error.message : 'it ran';
    };
    expect(await refused('select observers.capture_chain(0, 9007199254740991)')).toBe('permission denied for function capture_chain');
    expect(
      await refused(
        "select observers.capture_note('x', 'y')",
        "select set_config('observers.open', ' x:1', true)",
        "select observers.capture_note('x', 'y')",
      ),
    ).toMatch(/^permission denied for sequence /);
    expect(await refused("select observers.capture_misplaced(0, '[]')")).toBe('permission denied for table tb_entity_change_log');
    // A trigger of its own, with the mark of ours: it draws a number of the log, whatever its argument.
    await mallory.query(`begin; create temp table forged (id int);
      create trigger m before insert on forged for each statement execute function observers.capture_mark('public.private', 'public.private'); insert into forged values (1); commit`);
  });
  expect(await database.query(log)).toEqual(before);
  expect(await database.query('select is_called from public.private')).toEqual([{ is_called: false }]);
});

test('what renumbers the log touches rows of its own transaction only, whatever it is called with', async () => {
  await database.query('create table t (id int primary key)');
  await database.capture('public.t');
  await database.query('insert into t values (1), (2)');
  const log = 'select pk_entity_change_log as n, id, object_key from core.tb_entity_change_log order by 1';
  const before = await database.query(log);
  for (const book of [',[0, 2, 1], [0, 1, 2]', ',[0, 1, 9, 0], [0, 2, 2, 0]', `,["'); drop table t; --", 1, 2]`, ',nonsense']) {
    await database.query('begin');
    await database.query(
      "select set_config('observers.open', '', true), set_config('observers.since', '0', true), set_config('observers.book', $1, true)",
      [book],
    );
    await database.query('insert into t values (3)');
    await database.query('savepoint s');
    await database.query('select observers.capture_chain(0, 9007199254740991)').catch(() => database.query('rollback to s'));
    expect((await database.query(log)).slice(0, 2)).toEqual(before);
    await database.query('rollback');
  }
});

test('functions that belong to a superuser are drift, and apply gives them to the role', async () => {
  await database.capture('mallory.t');
  const [{ name } = { name: '' }] = await database.query<{ name: string }>(
    "select proname as name from pg_proc where proname like 'capture\\_mallory\\_t\\_%\\_insert'",
  );
  await database.query(`alter function observers.${name}() owner to current_user`);
  const [plan] = await planCapture(database.client, [captureOf('mallory.t')]);
  expect(plan!.reasons).toEqual([matching(/run as the superuser .*: whoever owns the table may run SQL as that role/)]);
  await applyCapture(database.client, [plan!]);
  expect((await planCapture(database.client, [captureOf('mallory.t')]))[0]!.state).toBe('current');
});

test('a role that is no superuser applies and applies again: it keeps the functions, or gives them away where it may', async () => {
  await database.query(`do $$ begin create role observers_test_applier login password 'applier'; exception when duplicate_object or unique_violation then null; end $$;
    grant usage, create on schema observers, public to observers_test_applier; grant usage on schema core to observers_test_applier; grant insert on core.tb_entity_change_log to observers_test_applier; grant select on observers.mask_salt to observers_test_applier;
    grant select, insert, delete on observers.captured_table to observers_test_applier`);
  const url = new URL(database.url);
  url.username = 'observers_test_applier';
  url.password = 'applier';
  const applier = new Client({ connectionString: url.toString() });
  await applier.connect();
  const owners = (): Promise<unknown[]> =>
    database.query(
      "select distinct pg_get_userbyid(proowner)::text as owner from pg_proc where proname like 'capture\\_public\\_mine\\_%' and prosecdef",
    );
  try {
    await applier.query('create table public.mine (id int primary key, v text)');
    for (const before of [true, false]) {
      const plans = await planCapture(applier, [captureOf('public.mine', { before })]);
      await applyCapture(applier, plans);
      expect(await owners()).toEqual([{ owner: 'observers_test_applier' }]);
      expect((await planCapture(applier, [captureOf('public.mine', { before })]))[0]!.reasons).toEqual([]);
    }
    await database.query(
      'grant create on schema observers to observers_test_applier with grant option; grant usage on schema core, observers to observers_capture; grant insert on core.tb_entity_change_log to observers_capture; grant select on observers.mask_salt to observers_capture; grant usage on all sequences in schema core to observers_capture',
    );
    const [{ v } = { v: 0 }] = await database.query<{ v: number }>("select current_setting('server_version_num')::int as v");
    await database.query(`grant observers_capture to observers_test_applier ${v >= 160000 ? 'with inherit false, set true' : ''}`);
    const [drifted] = await planCapture(applier, [captureOf('public.mine', { before: false })]);
    expect(drifted!.reasons).toEqual([
      'its functions run as observers_test_applier instead of observers_capture: whoever owns the table may run SQL as that role',
    ]);
    await applyCapture(applier, [drifted!]);
    expect(await owners()).toEqual([{ owner: 'observers_capture' }]);
    expect((await planCapture(applier, [captureOf('public.mine', { before: false })]))[0]!.reasons).toEqual([]);
    await applier.query("insert into public.mine values (1, 'a'); update public.mine set v = 'b'");
    expect(await database.query('select object_key as key, extra_metadata as extra from core.tb_entity_change_log')).toEqual([
      { key: '1', extra: null },
      { key: '1', extra: null },
    ]);
  } finally {
    await applier.end();
    await database.query(
      'drop table if exists public.mine; revoke observers_capture from observers_test_applier; drop owned by observers_test_applier; drop role observers_test_applier',
    );
  }
});

test('a role that keeps the functions and lacks what they do is refused by apply, and not by each write of the table', async () => {
  await database.query(`do $$ begin create role observers_test_keeper login password 'keeper'; exception when duplicate_object or unique_violation then null; end $$;
    grant usage, create on schema observers, public to observers_test_keeper; grant usage on schema core to observers_test_keeper; grant select, insert, delete on observers.captured_table to observers_test_keeper`);
  const url = new URL(database.url);
  url.username = 'observers_test_keeper';
  url.password = 'keeper';
  const keeper = new Client({ connectionString: url.toString() });
  await keeper.connect();
  try {
    await keeper.query(`create table public.kept (id int primary key, v text); create function public.completes() returns trigger language plpgsql as $f$
      begin update public.kept set v = 'complete' where id = new.id; return null; end $f$; create trigger zz after insert on public.kept for each row execute function public.completes()`);
    for (const grant of [
      'insert on core.tb_entity_change_log',
      'usage on all sequences in schema core',
      'execute on function observers.capture_chain(bigint, bigint)',
    ]) {
      await expect(planCapture(keeper, [captureOf('public.kept')]).then((plans) => applyCapture(keeper, plans))).rejects.toThrow(
        /capture apply needs .*: permission denied for /,
      );
      await keeper.query('insert into public.kept values (0); delete from public.kept');
      await database.query(`grant ${grant} to observers_test_keeper`);
    }
    await applyCapture(keeper, await planCapture(keeper, [captureOf('public.kept')]));
    await keeper.query('insert into public.kept values (1)');
    expect(
      await database.query(
        "select modification_type as verb, object_data ->> 'v' as v from core.tb_entity_change_log order by pk_entity_change_log",
      ),
    ).toEqual([
      { verb: 'INSERT', v: null },
      { verb: 'UPDATE', v: 'complete' },
    ]);
  } finally {
    await keeper.end();
    await database.query('drop table if exists public.kept; drop owned by observers_test_keeper; drop role observers_test_keeper');
  }
});
