import { applyCapture, planCapture, planRemoval } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { takeRecorded } from '../support/recorded';

// Partitions that go from one captured table to another, and tables that become partitions.

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await query(`create table t (id int primary key, v int) partition by range (id);
    create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (20)`);
  await database.capture('public.t');
});
afterEach(() => database.drop());

const query = (sql: string): Promise<unknown> => database.query(sql);

const recorded = (): Promise<string[]> => takeRecorded(database);

async function reasons(table: string): Promise<readonly string[]> {
  const [plan] = await planCapture(database.client, [captureOf(table)]);
  return plan!.reasons;
}

async function remove(table: string): Promise<void> {
  for (const statement of await planRemoval(database.client, table)) await query(statement);
}

/** Triggers, functions and records of ours that are left. */
const left = async (): Promise<unknown[]> => [
  ...(await database.query("select tgname from pg_trigger where tgname like '%observers\\_capture%' and not tgisinternal")),
  ...(await database.query("select proname from pg_proc where proname ~ '^capture_.*_[0-9a-f]{8}_'")),
  ...(await database.query('select relation from observers.captured_table')),
];

test.each([true, false])('one that goes on to another captured table is of that one (the first still in the file: %j)', async (both) => {
  await query('create table o (id int primary key, v int) partition by range (id)');
  const captures = [captureOf('public.o', { entity: 'Other' }), ...(both ? [captureOf('public.t')] : [])];
  await applyCapture(database.client, await planCapture(database.client, [captureOf('public.o', { entity: 'Other' })]));
  await query('alter table t detach partition t1; alter table o attach partition t1 for values from (0) to (10)');
  await query('insert into t1 values (1, 1); truncate t1; insert into o values (2, 2)');
  expect(await database.query('select object_type as entity, object_key as key from core.tb_entity_change_log')).toEqual([
    { entity: 'Other', key: '2' },
  ]);
  const plan = await planCapture(database.client, captures);
  expect(plan[0]!.reasons).toContain(
    'public.t1 has triggers of the capture of another table: what is written to it directly goes by unseen',
  );
  await applyCapture(database.client, plan);
  await query('insert into t1 values (3, 1); insert into t values (11, 1)');
  expect(await database.query("select object_type as entity from core.tb_entity_change_log where object_key <> '2' order by 1")).toEqual([
    { entity: 'Order' },
    { entity: 'Other' },
  ]);
});

test('one that came from another captured table is removed with its new one, and the first goes on', async () => {
  await query('create table o (id int primary key, v int) partition by range (id)');
  await database.capture('public.o');
  await query('alter table t detach partition t1; alter table o attach partition t1 for values from (0) to (10)');
  await remove('public.o');
  await query('insert into t values (11, 1); insert into o values (1, 1)');
  expect(await recorded()).toEqual(['INSERT 11']);
  await remove('public.t');
  expect(await left()).toEqual([]);
});

test('a captured table that becomes a partition of another one is of that one, and its removal leaves it so', async () => {
  await query('create table u (id int primary key, v int)');
  await database.capture('public.u', { entity: 'U' });
  await query('alter table t attach partition u for values from (20) to (30)');
  await database.capture('public.t');
  await remove('public.u');
  expect(await reasons('public.t')).toEqual([]);
  await query('insert into u values (20, 1); insert into t values (21, 1)');
  expect(await database.query('select distinct object_type as entity from core.tb_entity_change_log')).toEqual([{ entity: 'Order' }]);
  expect(await recorded()).toEqual(['INSERT 20', 'INSERT 21']);
});
