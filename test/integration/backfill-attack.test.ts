import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { connect, disconnect } from '../../src/database/postgres';
import type { OperatorError } from '../../src/event/errors';
import { countRows, reading } from '../../src/backfill/target';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import { runBackfill, targetOf, type TestBackfill } from '../support/backfill';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { containing } from '../support/texts';

const MALLORY = `observers_test_mallory_${process.pid}`;
/** What a superuser can make the server do, and nothing takes back. */
const MARK = join(tmpdir(), `observers-test-mark-${process.pid}`);

/**
 * Code of a table's owner, for every place at which a backfill could run it. What it does is taken back, so it says as whom it runs; and it
 * tries to come back later as somebody else: at the commit, or where a name is looked up.
 */
const ATTACK = `
grant usage on schema mallory to public;
create function mallory.try(statement text) returns void language plpgsql as $$
begin execute statement; exception when others then null; end $$;
create function mallory.attack() returns void language plpgsql as $$
begin
  raise warning 'ran as %', current_user;
  if length(current_setting('mallory.times', true)) > 3 then return; end if;
  perform set_config('mallory.times', coalesce(current_setting('mallory.times', true), '') || 'x', true);
  perform mallory.try('copy (select 1) to program ''touch ${MARK}''');
  perform mallory.try('alter role ${MALLORY} superuser');
  perform mallory.try('reset role; alter role ${MALLORY} superuser');
  perform mallory.try('set session authorization default; alter role ${MALLORY} superuser');
  perform mallory.try('declare "held" cursor with hold for select mallory.attack()');
  perform mallory.try('insert into mallory.bait values (1)');
  perform set_config('search_path', 'mallory, pg_catalog', false);
end $$;
create table mallory.bait (i int); grant insert on mallory.bait to public;
create function mallory.later() returns trigger language plpgsql as $$ begin perform mallory.attack(); return null; end $$;
create constraint trigger later after insert on mallory.bait deferrable initially deferred for each row execute function mallory.later();
create function mallory.same(text) returns text language plpgsql as $$ begin perform mallory.attack(); return $1; end $$;
create function mallory.to_json(timestamptz) returns json language plpgsql as $$ begin perform mallory.attack(); return 'null'; end $$;
create type mallory.e as enum ('a', 'b', 'c');
create function mallory.to_json(mallory.e) returns json language plpgsql as $$ begin perform mallory.attack(); return '"json"'; end $$;
create function mallory.to_text(mallory.e) returns text language plpgsql as $$ begin perform mallory.attack(); return 'text'; end $$;
create function mallory.of_text(text) returns mallory.e language plpgsql as $$ begin perform mallory.attack(); return 'a'; end $$;
create cast (mallory.e as json) with function mallory.to_json(mallory.e);
create cast (mallory.e as text) with function mallory.to_text(mallory.e) as assignment;
create cast (text as mallory.e) with function mallory.of_text(text) as implicit;
create function mallory.allowed(int) returns boolean language plpgsql as $$ begin perform mallory.attack(); return $1 > 0; end $$;
create domain mallory.d as int check (mallory.allowed(value));
create function mallory.compare(mallory.d, int) returns boolean language plpgsql as $$ begin perform mallory.attack(); return true; end $$;
create operator public.> (leftarg = mallory.d, rightarg = int, function = mallory.compare);
create operator public.= (leftarg = mallory.d, rightarg = int, function = mallory.compare);
create table mallory.t (id int primary key, e mallory.e not null, d mallory.d not null, v text);
insert into mallory.t values (1, 'a', 1, 'x'), (2, 'b', 2, 'x'), (3, 'c', 3, 'x');
create table mallory.by_domain (d mallory.d, e mallory.e, v text, primary key (d, e)); insert into mallory.by_domain select d, e, v from mallory.t;
create table mallory.by_enum (e mallory.e primary key, d mallory.d); insert into mallory.by_enum select e, d from mallory.t;
create table mallory.by_list (d mallory.d[] primary key); insert into mallory.by_list values ('{1}');
create type mallory.i as enum ('a', 'b'); create function mallory.to_text(mallory.i) returns text language plpgsql as $$ begin perform mallory.attack(); return 'text'; end $$;
create cast (mallory.i as text) with function mallory.to_text(mallory.i) as implicit;
create table mallory.by_implicit (i mallory.i primary key); insert into mallory.by_implicit values ('a'), ('b')`;

let database: TestDatabase;
beforeEach(async () => {
  rmSync(MARK, { force: true });
  database = await createTestDatabase();
  await database.query(
    `do $$ begin create role ${MALLORY} login password 'mallory'; exception when duplicate_object or unique_violation then null; end $$`,
  );
  await database.query(
    `create schema mallory authorization ${MALLORY}; grant create on schema public to ${MALLORY}; create function public.same(text) returns text language sql as 'select $1'`,
  );
  await asMallory(ATTACK);
});
afterEach(() => database.drop());
afterAll(async () => {
  const last = await createTestDatabase();
  await last.query(`drop role if exists ${MALLORY}`);
  await last.drop();
});

const urlOfMallory = (): string => Object.assign(new URL(database.url), { username: MALLORY, password: 'mallory' }).href;

/** In a session of their own: one of a superuser could set its role back. */
async function asMallory(statements: string): Promise<void> {
  const mallory = new Client({ connectionString: urlOfMallory() });
  await mallory.connect();
  await mallory.query(statements).finally(() => mallory.end());
}

/** As a superuser; what the server says of who ran what, of either connection. */
async function backfill(options: TestBackfill): Promise<{ done: number; said: string[] }> {
  const said = new Set<string>();
  const { done } = await runBackfill(database, { ...options, onNotice: (message) => void said.add(message) });
  return { done, said: [...said] };
}

/** As `--dry-run` does. */
async function dryRun(options: TestBackfill): Promise<{ count: number; sample: unknown[]; said: string[] }> {
  const client = await connect(database.url, 'dry run');
  const said = new Set<string>();
  client.on('notice', ({ message = '' }) => void said.add(message));
  const target = await targetOf(client, options);
  const { count } = await countRows(client, target);
  const { rows } = await reading(client, () => client.query<[string]>({ text: target.rows.sample, values: [5], rowMode: 'array' }));
  await disconnect(client);
  return { count, sample: rows, said: [...said] };
}

async function nothingIsWon(): Promise<void> {
  expect(existsSync(MARK)).toBe(false);
  expect(await database.query(`select rolsuper as super from pg_roles where rolname = '${MALLORY}'`)).toEqual([{ super: false }]);
}

const AS_CAPTURE = ['ran as observers_capture'];

test.each<[string, TestBackfill]>([
  ['whole images', { table: 'mallory.t' }],
  [
    'a mask, and a condition of the person',
    { table: 'mallory.t', capture: { mask: { e: 'hash' }, exclude: ['v'] }, where: "same(v) = 'x'" },
  ],
  ['a key of their enum', { table: 'mallory.by_enum' }],
  ['a key of their domain and enum', { table: 'mallory.by_domain' }],
  ['a key without an index, of theirs', { table: 'mallory.t', capture: { key: ['e', 'd'] } }],
  ['a condition of the capture', { table: 'mallory.t', capture: { when: 'mallory.allowed(id)' }, where: 'same(v) is not null' }],
])(
  'what the owner of a table runs in a backfill of a superuser, it runs as the role of the capture, and nothing of it lasts: %s',
  async (_, options) => {
    await database.capture(options.table, options.capture);
    const dry = await dryRun(options);
    expect({ count: dry.count, rows: dry.sample.length, said: dry.said }).toEqual({ count: 3, rows: 3, said: AS_CAPTURE });
    // It waits between its rows, so that a path or a cursor that was left would be met by the statements that follow.
    expect(await backfill({ ...options, rate: 20 })).toEqual({ done: 3, said: AS_CAPTURE });
    expect(
      await database.query("select from core.tb_entity_change_log where modification_type = 'BACKFILL' and object_data is not null"),
    ).toHaveLength(3);
    await nothingIsWon();
  },
);

test.each([
  ['parts of their domain, whose CHECK', 'mallory.by_list', 'has parts of a domain'],
  ['a cast by which it may be compared as text, which', 'mallory.by_implicit', 'cannot be put in the order of their key'],
])('a key with %s would run as whoever runs the backfill, is refused', async (_, table, message) => {
  await database.capture(table);
  const said: string[] = [];
  await expect(runBackfill(database, { table, onNotice: (what) => said.push(what) })).rejects.toThrow(message);
  expect(said).toEqual([]);
  await nothingIsWon();
});

test('a view that takes the name of the table while a superuser goes through it is not read', async () => {
  await asMallory(`create table mallory.many (id int primary key); insert into mallory.many select generate_series(1, 400);
    create view mallory.instead as select id, mallory.same('x') from mallory.many`);
  await database.capture('mallory.many');
  let swapped: Promise<unknown> | null = null;
  const said: string[] = [];
  const run = runBackfill(database, {
    table: 'mallory.many',
    rate: 200,
    onProgress: () => void (swapped ??= asMallory('alter table mallory.many rename to was; alter view mallory.instead rename to many')),
    onNotice: (message) => said.push(message),
    sleep: () => Promise.resolve(swapped).then(() => undefined),
  });
  await expect(run).rejects.toThrow('has changed since the backfill began');
  // And where it comes between a look and the statement.
  const client = await connect(database.url, 'reader');
  await expect(reading(client, () => client.query('select * from mallory.many'))).rejects.toThrow('restricted');
  await disconnect(client);
  expect(said).toEqual([]);
  await nothingIsWon();
});

test('what PostgreSQL computes when it plans a read, a superuser does not make it compute; others may read the table', async () => {
  const made = [
    "create function mallory.computed(int) returns int language plpgsql immutable as $$ begin raise warning 'planned as %', current_user; return $1; end $$",
    'create index folded on mallory.t ((mallory.computed(1)))',
    'create index folded on mallory.t (id) where mallory.computed(1) > 0',
    'create statistics mallory.folded on (mallory.computed(1)), id from mallory.t',
  ];
  await database.capture('mallory.t');
  await asMallory(made[0]!);
  for (const statement of made.slice(1)) {
    await asMallory(statement);
    const said: string[] = [];
    const refused = await runBackfill(database, { table: 'mallory.t', onNotice: (message) => said.push(message) }).catch(
      (error: OperatorError) => error,
    );
    expect([statement, (refused as OperatorError).message]).toEqual([
      statement,
      containing('calls mallory.computed(integer), which PostgreSQL may run as that role'),
    ]);
    expect((refused as OperatorError).remedy).toContain(MALLORY);
    expect(said).toEqual([]);
    const url = urlOfMallory();
    const grants = ((await runBackfill(database, { table: 'mallory.t', url }).catch((error: OperatorError) => error)) as OperatorError)
      .remedy;
    for (const grant of grants?.startsWith('Run as') ? grants.replace('Run as an administrator: ', '').split('; ') : [])
      await database.query(grant);
    expect(await runBackfill(database, { table: 'mallory.t', url, again: true })).toMatchObject({ state: 'finished', done: 3 });
    await database.query(statement.includes('index') ? 'drop index mallory.folded' : 'drop statistics mallory.folded');
  }
  await nothingIsWon();
});

test('a table that an earlier version captured is refused with what to do, and so is one whose functions somebody dropped', async () => {
  await database.capture('mallory.t');
  const [{ name } = { name: '' }] = await database.query<{ name: string }>(
    "select proname as name from pg_proc where proname like '%\\_backfill'",
  );
  await database.query(`drop function observers.${name}`);
  for (const before of ['', "update observers.captured_table set fingerprint = 'former'"]) {
    if (before !== '') await database.query(before);
    const refused = (await backfill({ table: 'mallory.t' }).catch((error: unknown) => error)) as OperatorError;
    expect(refused.message).toContain('mallory.t is not captured as the observers file says');
    expect(refused.remedy).toBe('Run: fraiseql-observers capture apply');
  }
  const plans = await planCapture(database.client, [captureOf('mallory.t')]);
  await applyCapture(database.client, plans);
  expect((await planCapture(database.client, [captureOf('mallory.t')]))[0]!.state).toBe('current');
  expect((await backfill({ table: 'mallory.t' })).done).toBe(3);
});

test('a captured table can be dropped, and its capture removed', async () => {
  const { planRemoval } = await import('../../src/change-log/capture/capture');
  await database.capture('mallory.t', { when: 'id > 0' });
  await database.capture('mallory.by_enum');
  await database.query('drop table mallory.t; drop type mallory.e cascade');
  for (const table of ['mallory.t', 'mallory.by_enum'])
    for (const statement of await planRemoval(database.client, table)) await database.query(statement);
  expect(await database.query("select proname from pg_proc where proname ~ '^capture_mallory'")).toEqual([]);
});

test('operators may call the functions: capture apply opens them where the role is there, roles apply where it came later; nobody else may', async () => {
  const { planRoles } = await import('../../src/database/roles/plan');
  await database.capture('mallory.t', { when: 'id > 0' });
  const may = async (role: string): Promise<boolean[]> => {
    const rows = await database.query<{ may: boolean }>(
      `select has_function_privilege('${role}', oid, 'EXECUTE') as may from pg_proc where proname ~ '_backfill(_kept)?$'`,
    );
    return rows.map((row) => row.may);
  };
  expect([await may('observers_operator'), await may(MALLORY)]).toEqual([
    [true, true],
    [false, false],
  ]);
  await database.query(`do $$ declare f regprocedure; begin
    for f in select oid::regprocedure from pg_proc where proname ~ '_backfill(_kept)?$' loop execute format('revoke all on function %s from observers_operator', f); end loop; end $$`);
  expect(await may('observers_operator')).toEqual([false, false]);
  const statements = (await planRoles(database.client, ['observers_operator'])).sql.filter((statement) => statement.includes('_backfill'));
  expect(statements).toHaveLength(1);
  for (const statement of statements) await database.query(statement);
  expect([await may('observers_operator'), await may(MALLORY)]).toEqual([
    [true, true],
    [false, false],
  ]);
  expect((await planRoles(database.client, ['observers_operator'])).sql.join()).not.toContain('_backfill');
  await database.capture('mallory.t', { when: 'id > 1' });
  expect([await may('observers_operator'), await may(MALLORY)]).toEqual([
    [true, true],
    [false, false],
  ]);
});
