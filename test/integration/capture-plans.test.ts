import { applyCapture, planCapture, planRemoval } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { containing, matching } from '../support/texts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

test('a disabled or missing trigger is drift, and apply repairs it', async () => {
  await database.query('create table t (id int primary key)');
  await database.capture('public.t');
  await database.query('alter table t disable trigger observers_capture_insert; drop trigger observers_capture_delete on t');
  const [plan] = await planCapture(database.client, [captureOf('public.t')]);
  expect(plan!.reasons).toEqual([
    'observers_capture_insert on public.t is not ENABLE ALWAYS: writes go by unseen',
    'public.t has no trigger observers_capture_delete: what it would record goes by unseen',
  ]);
  await applyCapture(database.client, [plan!]);
  expect((await planCapture(database.client, [captureOf('public.t')]))[0]!.reasons).toEqual([]);
});

test('removal ends the capture and leaves nothing behind but the log', async () => {
  await database.query('create table t (id int primary key)');
  await database.capture('public.t');
  await database.query('insert into t values (1)');
  for (const statement of await planRemoval(database.client, 'public.t')) await database.query(statement);
  await database.query('insert into t values (2)');
  expect(await database.query('select modification_type as verb, object_key as key from core.tb_entity_change_log')).toEqual([
    { verb: 'INSERT', key: '1' },
  ]);
  expect(
    await database.query(
      "select 1 from pg_proc where proname ~ '^capture_public_t_[0-9a-f]{8}' and pronamespace = 'observers'::regnamespace",
    ),
  ).toEqual([]);
  expect(await database.query("select 1 from pg_trigger where tgname like '%observers_capture%'")).toEqual([]);
});

test.each([
  ['public.nowhere', {}, /there is no such table/],
  ['public.v', {}, /not an ordinary or partitioned table/],
  ['public.nokey', {}, /no primary key/],
  ['public.t', { exclude: ['colour'] }, /no column colour: its columns are id, a/],
  ['public.t', { tenant: 'a' }, /tenants are uuid/],
])('capture of %s %j is impossible, saying why, and the others can be captured', async (table, options, message) => {
  await database.query('create table t (id int primary key, a int); create view v as select 1; create table nokey (a int)');
  await database.query('create table fine (id int primary key)');
  const [refused, other] = await planCapture(database.client, [captureOf(table, options), captureOf('public.fine')]);
  expect(refused).toMatchObject({ state: 'impossible', reasons: [matching(message)], sql: [] });
  expect(other!.state).toBe('missing');
});

test('a role that owns nothing compares all the same, and is told what apply needs', async () => {
  await database.query('create table t (id int primary key); create table u (id int primary key)');
  await database.capture('public.u');
  await database.query(
    'do $$ begin create role observers_test_stranger; exception when duplicate_object then null; end $$; grant usage on schema observers to observers_test_stranger; grant select on all tables in schema observers to observers_test_stranger; set role observers_test_stranger',
  );
  const plans = await planCapture(database.client, [captureOf('public.t'), captureOf('public.u')]);
  expect(plans.map(({ state }) => state)).toEqual(['missing', 'current']);
  await expect(applyCapture(database.client, plans)).rejects.toMatchObject({
    message: containing('needs a role that owns the tables'),
  });
  await database.query('reset role');
});
