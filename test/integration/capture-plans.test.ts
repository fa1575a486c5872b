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

test.each(['core.tb_entity_change_log', 'observers.lease', 'observers.quarantine'])(
  '%s is not captured: it would record itself',
  async (table) => {
    const plans = await planCapture(database.client, [captureOf(table, { key: ['id'] })]);
    expect(plans).toMatchObject([{ state: 'impossible', reasons: [containing('it is a table of this program')], sql: [] }]);
  },
);

test.each([
  [['public.t', 'public."t"'], 'what is written to public.t is recorded as A already, by the capture of public.t above'],
  [['public.t', 'public.T'], 'what is written to public.t is recorded as A already, by the capture of public.t above'],
  [['public.p', 'public.p1'], 'what is written to public.p1 is recorded as A already, by the capture of public.p above'],
  [['public.p1', 'public.p'], 'what is written to public.p1 is recorded as A already, by the capture of public.p1 above'],
])('%j: the second one is impossible, and the first is applied', async (tables, reason) => {
  await database.query(
    'create table t (id int primary key); create table p (id int primary key) partition by range (id); create table p1 partition of p for values from (0) to (10)',
  );
  const captures = tables.map((table, i) => captureOf(table, { entity: i === 0 ? 'A' : 'B' }));
  const plans = await planCapture(database.client, captures);
  expect(plans).toMatchObject([{ state: 'missing' }, { state: 'impossible', reasons: [containing(reason)], sql: [] }]);
  await applyCapture(database.client, plans);
  expect((await planCapture(database.client, captures)).map(({ state }) => state)).toEqual(['current', 'impossible']);
});

test('a partition that is a foreign table: the table is impossible, saying why, before and after', async () => {
  await database.query(
    'create table t (id int, v int) partition by range (id); create table t1 partition of t for values from (0) to (10)',
  );
  await database.query('create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing');
  const attach = 'create foreign table t2 partition of t for values from (10) to (20) server nowhere';
  const reason = containing('its partition public.t2 is a foreign table');
  await database.query(attach);
  expect(await planCapture(database.client, [captureOf('public.t', { key: ['id'] })])).toMatchObject([{ state: 'impossible', reasons: [reason] }]); // prettier-ignore
  await database.query('drop foreign table t2');
  await database.capture('public.t', { key: ['id'] });
  await database.query(attach);
  expect(await planCapture(database.client, [captureOf('public.t', { key: ['id'] })])).toMatchObject([{ state: 'impossible', reasons: [reason] }]); // prettier-ignore
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
