import { applyCapture, planCapture, planRemoval } from '../../src/change-log/capture/capture';
import { runBackfill } from '../support/backfill';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { containing } from '../support/texts';

// A statement on a table takes in those that inherit from it, and PostgreSQL fires the statement triggers of that table alone.

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table parent (id int primary key, v int); create table child (w int, primary key (id)) inherits (parent)');
});
afterEach(() => database.drop());

const captures = [captureOf('public.parent', { entity: 'Parent' }), captureOf('public.child', { entity: 'Child' })];

async function recorded(): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    `select concat_ws(' ', object_type, modification_type, object_key, object_data_before::text, '>', object_data::text) as text
     from core.tb_entity_change_log order by pk_entity_change_log`,
  );
  await database.query('truncate core.tb_entity_change_log');
  return rows.map(({ text }) => text);
}

const WRITES =
  'insert into parent values (1, 1); insert into child values (2, 1, 7); update parent set v = 2; update only parent set v = 3; delete from parent';

test('each row is recorded once, as of the table that it stands in', async () => {
  await applyCapture(database.client, await planCapture(database.client, captures));
  await database.query(WRITES);
  expect(await recorded()).toEqual([
    'Parent INSERT 1 > {"id":1,"v":1}',
    'Child INSERT 2 > {"id":2,"v":1,"w":7}',
    'Parent UPDATE 1 {"id":1,"v":1} > {"id":1,"v":2}',
    'Child UPDATE 2 {"id":2,"v":1,"w":7} > {"id":2,"v":2,"w":7}',
    'Parent UPDATE 1 {"id":1,"v":2} > {"id":1,"v":3}',
    'Parent DELETE 1 {"id":1,"v":3} >',
    'Child DELETE 2 {"id":2,"v":2,"w":7} >',
  ]);
  await database.query(
    'insert into child values (3, 1, 1); set session_replication_role = replica; update parent set v = 2; truncate parent',
  );
  expect((await recorded()).map((text) => text.split(' ').slice(0, 2).join(' ')).sort()).toEqual(
    ['Child INSERT', 'Child UPDATE', 'Child CUSTOM', 'Parent CUSTOM'].sort(),
  );
});

test('where the parent alone is captured, rows of others are none of its entity', async () => {
  await database.capture('public.parent', { entity: 'Parent' });
  await database.query(WRITES);
  expect((await recorded()).map((text) => text.split(' ').slice(0, 3).join(' '))).toEqual([
    ...['Parent INSERT 1', 'Parent UPDATE 1', 'Parent UPDATE 1', 'Parent DELETE 1'],
  ]);
});

test('a table that another inherits from later is drift, in one sentence, and apply mends it; the way back too', async () => {
  await database.query('create table t (id int primary key)');
  const plan = async () => (await planCapture(database.client, [captureOf('public.t')]))[0]!;
  await database.capture('public.t');
  await database.query('create table u () inherits (t)');
  expect(await plan()).toMatchObject({
    state: 'drifted',
    reasons: [containing('public.t inherits, or is inherited from, since it was captured')],
  });
  await applyCapture(database.client, [await plan()]);
  expect(await plan()).toMatchObject({ state: 'current' });
  await database.query('insert into t values (1); insert into u values (2); update t set id = id + 10');
  expect((await recorded()).map((text) => text.split(' ').slice(1, 3).join(' '))).toEqual(['INSERT 1', 'DELETE 1', 'INSERT 11']);
  await database.query('alter table u no inherit t');
  expect(await plan()).toMatchObject({
    state: 'drifted',
    reasons: [containing('public.t neither inherits nor is inherited from any longer')],
  });
  await applyCapture(database.client, [await plan()]);
  expect(await plan()).toMatchObject({ state: 'current' });
  for (const statement of await planRemoval(database.client, 'public.t')) await database.query(statement);
  expect(await database.query("select proname from pg_proc where proname ~ '^capture_public_t_'")).toEqual([]);
});

test('a backfill of the parent sends its own rows', async () => {
  await database.query('insert into parent values (1, 1), (3, 1); insert into child values (2, 1, 7)');
  await database.capture('public.parent', { entity: 'Order' });
  expect(await runBackfill(database, { table: 'public.parent' })).toMatchObject({ state: 'finished', done: 2, failed: 0 });
  expect((await recorded()).map((text) => text.split(' ').slice(1, 3).join(' '))).toEqual(['BACKFILL 1', 'BACKFILL 3']);
});
