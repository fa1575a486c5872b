import { applyCapture, planCapture, planRemoval, type CapturePlan } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { takeRecorded } from '../support/recorded';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const query = (sql: string): Promise<unknown> => database.query(sql);

const recorded = (): Promise<string[]> => takeRecorded(database);

const plans = (table: string): Promise<CapturePlan[]> => planCapture(database.client, [captureOf(table)]);

async function reasons(table: string): Promise<readonly string[]> {
  return (await plans(table)).flatMap((plan) =>
    plan.state === 'current' ? [] : [`${plan.table}: ${plan.state}: ${plan.reasons.join('; ')}`],
  );
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

describe('partitions', () => {
  beforeEach(async () => {
    await query(`create table t (id int primary key, v int) partition by range (id);
      create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (20)`);
    await database.capture('public.t');
  });

  test('one that is detached is recorded no more; check tells, and apply takes its triggers away', async () => {
    await query(
      'alter table t detach partition t2; insert into t2 values (11, 1); update t2 set v = 2; delete from t2; insert into t values (1, 1)',
    );
    expect(await recorded()).toEqual(['INSERT 1']);
    const [plan] = await plans('public.t');
    expect(plan).toMatchObject({ state: 'drifted' });
    expect(plan!.reasons).toEqual([
      'public.t2 is no partition of public.t any longer: its writes are not recorded, and its triggers of ours remain until capture apply',
    ]);
    await applyCapture(database.client, [plan!]);
    expect(await database.query("select from pg_trigger where tgrelid = 't2'::regclass")).toEqual([]);
    expect(await reasons('public.t')).toEqual([]);
  });

  test('one that is detached does not keep capture remove from its work', async () => {
    await query('alter table t detach partition t2');
    await remove('public.t');
    expect(await left()).toEqual([]);
    await query('insert into t2 values (11, 1); insert into t values (1, 1)');
    expect(await recorded()).toEqual([]);
  });

  test('one that was detached and is attached again is recorded at once', async () => {
    await query(
      'alter table t detach partition t2; alter table t attach partition t2 for values from (10) to (20); insert into t2 values (11, 1); insert into t values (12, 1)',
    );
    expect(await recorded()).toEqual(['INSERT 11', 'INSERT 12']);
    expect(await reasons('public.t')).toEqual([]);
  });

  test('one that is new: check tells that direct writes to it go by unseen; writes through the table are recorded', async () => {
    await query('create table t3 partition of t for values from (20) to (30); insert into t values (21, 1)');
    expect(await recorded()).toEqual(['INSERT 21']);
    await query('insert into t3 values (22, 1)');
    expect(await recorded()).toEqual([]);
    expect(await reasons('public.t')).toEqual([
      'public.t: drifted: public.t3 has no trigger of the capture: what is written to it directly goes by unseen',
    ]);
    await database.capture('public.t');
    await query('insert into t3 values (23, 1)');
    expect(await recorded()).toEqual(['INSERT 23']);
  });

  test.each([0, 1])('one that was detached and is captured by its own name, whatever comes first in the file (%i)', async (first) => {
    await query('alter table t detach partition t2');
    const both = [captureOf('public.t'), captureOf('public.t2', { entity: 'Archived' })];
    if (first === 1) both.reverse();
    await applyCapture(database.client, await planCapture(database.client, both));
    expect((await planCapture(database.client, both)).map(({ state }) => state)).toEqual(['current', 'current']);
    await query('insert into t values (1, 1); insert into t2 values (11, 1)');
    const rows = await database.query('select object_type as entity, object_key as key from core.tb_entity_change_log order by 2');
    expect(rows).toEqual([
      { entity: 'Order', key: '1' },
      { entity: 'Archived', key: '11' },
    ]);
  });

  test('a whole branch is detached, and what hangs on it', async () => {
    await query(
      `create table t4 partition of t for values from (40) to (50) partition by range (id); create table t41 partition of t4 for values from (40) to (45)`,
    );
    await database.capture('public.t');
    await query(
      'alter table t detach partition t4; insert into t41 values (41, 1); insert into t4 values (42, 1); truncate t4; drop table t41',
    );
    expect(await recorded()).toEqual([]);
    expect((await reasons('public.t')).join()).toContain('public.t4 is no partition of public.t any longer');
    await remove('public.t');
    expect(await left()).toEqual([]);
  });
});

describe('an ordinary table', () => {
  beforeEach(async () => {
    await query('create table customers (id int primary key, v int)');
    await database.capture('public.customers');
  });

  test('swapped by rename: check names both, and apply moves the capture to the one that has the name now', async () => {
    await query(
      'create table customers_new (like customers including all); alter table customers rename to customers_old; alter table customers_new rename to customers',
    );
    expect(await reasons('public.customers')).toEqual([
      'public.customers: drifted: public.customers is another table now, and its writes are not recorded: the one that was captured is called public.customers_old, and its writes still are',
    ]);
    await database.capture('public.customers');
    await query('insert into customers_old values (1, 1); insert into customers values (2, 1)');
    expect(await recorded()).toEqual(['INSERT 2']);
    expect(await reasons('public.customers')).toEqual([]);
    await remove('public.customers');
    expect(await left()).toEqual([]);
  });

  test('renamed only: the file names a table that is gone, and is told how it is called; by its new name it goes on', async () => {
    await query('alter table customers rename to clients; insert into clients values (1, 1)');
    expect(await recorded()).toEqual(['INSERT 1']);
    expect((await reasons('public.customers')).join('\n')).toContain('the one that was captured is called public.clients now');
    expect(await reasons('public.clients')).toEqual([
      'public.clients: drifted: the table was called public.customers when it was captured',
    ]);
    await database.capture('public.clients');
    expect(await reasons('public.clients')).toEqual([]);
    await query('update clients set v = 2');
    expect(await recorded()).toEqual(['UPDATE 1']);
    await remove('public.clients');
    expect(await left()).toEqual([]);
  });

  test.each(['public.clients', 'public.customers'])('renamed, and removed by the name %s', async (name) => {
    await query('alter table customers rename to clients');
    await remove(name);
    expect(await left()).toEqual([]);
  });

  test('swapped by rename, and removed by the name that the captured one has now', async () => {
    await query(
      'create table other (id int primary key); alter table customers rename to customers_old; alter table other rename to customers',
    );
    await remove('public.customers_old');
    expect(await left()).toEqual([]);
  });

  test('two captured tables that swap their names, in either order of the file', async () => {
    await query('create table suppliers (id int primary key, v int)');
    const both = [captureOf('public.customers', { when: 'v > 0' }), captureOf('public.suppliers', { entity: 'Supplier', when: 'v > 1' })];
    const all = (): Promise<CapturePlan[]> => planCapture(database.client, both);
    await applyCapture(database.client, await all());
    for (const order of [() => both.reverse(), () => both]) {
      await query('alter table customers rename to x; alter table suppliers rename to customers; alter table x rename to suppliers');
      order();
      expect((await all()).map(({ state }) => state)).toEqual(['drifted', 'drifted']);
      await applyCapture(database.client, await all());
      expect((await all()).map(({ state, reasons: why }) => [state, why])).toEqual([
        ['current', []],
        ['current', []],
      ]);
      await query('insert into customers values (1, 2); insert into suppliers values (2, 2); delete from customers; delete from suppliers');
      const rows = await database.query(
        "select object_type as entity, object_key as key from core.tb_entity_change_log where modification_type = 'INSERT' order by 2",
      );
      expect(rows).toEqual([
        { entity: 'Order', key: '1' },
        { entity: 'Supplier', key: '2' },
      ]);
      await recorded();
    }
    await remove('public.customers');
    await remove('public.suppliers');
    expect(await left()).toEqual([]);
  });

  test.each([0, 1])(
    'swapped by rename, and the old one is captured as another entity, whatever comes first in the file (%i)',
    async (first) => {
      await query(
        'create table other (id int primary key, v int); alter table customers rename to customers_old; alter table other rename to customers',
      );
      const both = [captureOf('public.customers'), captureOf('public.customers_old', { entity: 'Old' })];
      if (first === 1) both.reverse();
      await applyCapture(database.client, await planCapture(database.client, both));
      expect((await planCapture(database.client, both)).map(({ state }) => state)).toEqual(['current', 'current']);
      await query('insert into customers values (1, 1); insert into customers_old values (2, 1)');
      const rows = await database.query('select object_type as entity, object_key as key from core.tb_entity_change_log order by 2');
      expect(rows).toEqual([
        { entity: 'Order', key: '1' },
        { entity: 'Old', key: '2' },
      ]);
    },
  );

  test('moved to another schema', async () => {
    await query('create schema archive; alter table customers set schema archive; insert into archive.customers values (1, 1)');
    expect(await recorded()).toEqual(['INSERT 1']);
    expect((await reasons('public.customers')).join('\n')).toContain('the one that was captured is called archive.customers now');
    await database.capture('archive.customers');
    expect(await reasons('archive.customers')).toEqual([]);
    await query('update archive.customers set v = 3');
    expect(await recorded()).toEqual(['UPDATE 1']);
    await remove('archive.customers');
    expect(await left()).toEqual([]);
  });

  test('dropped and made again: check says that it is another one, and apply captures it', async () => {
    await query('drop table customers; create table customers (id int primary key, v int); insert into customers values (1, 1)');
    expect(await recorded()).toEqual([]);
    expect(await reasons('public.customers')).toEqual([
      'public.customers: drifted: public.customers is another table now, and its writes are not recorded: the one that was captured is gone',
    ]);
    await database.capture('public.customers');
    await query('insert into customers values (2, 1)');
    expect(await recorded()).toEqual(['INSERT 2']);
    expect(await reasons('public.customers')).toEqual([]);
  });

  test('dropped for good: the file is told, others are captured all the same, and remove cleans up', async () => {
    await query('drop table customers; create table other (id int primary key)');
    const both = await planCapture(database.client, [captureOf('public.customers'), captureOf('public.other', { entity: 'Other' })]);
    expect(both.map(({ table, state }) => [table, state])).toEqual([
      ['public.customers', 'impossible'],
      ['public.other', 'missing'],
    ]);
    await applyCapture(database.client, both);
    await query('insert into other values (1)');
    expect(await recorded()).toEqual(['INSERT 1']);
    await remove('public.customers');
    await remove('public.other');
    expect(await left()).toEqual([]);
  });

  test('a trigger of others that was added later is drift, for it needs marks', async () => {
    await query(`create function f() returns trigger language plpgsql as $$ begin return null; end $$;
      create trigger zz after insert on customers for each row execute function f()`);
    expect(await reasons('public.customers')).toEqual([
      'public.customers: drifted: other triggers or foreign keys act on public.customers since it was captured: what they write may be recorded in another order until capture apply',
    ]);
    await database.capture('public.customers');
    expect(await reasons('public.customers')).toEqual([]);
  });
});
