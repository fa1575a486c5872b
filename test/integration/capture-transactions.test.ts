import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table public.orders (id bigint primary key, note text)');
  await database.capture('public.orders');
});

afterEach(() => database.drop());

test('a hundred writes of one row each in a transaction take one transaction number, not a hundred and one', async () => {
  await database.query('begin');
  for (let id = 1; id <= 50; id++) await database.query('insert into orders values ($1, $2)', [id, 'a']);
  for (let id = 1; id <= 50; id++) await database.query('update orders set note = $2 where id = $1', [id, 'b']);
  await database.query('commit');
  // Each row says which (sub)transaction wrote it.
  const numbers =
    'select count(distinct xmin::text)::int as n from (select xmin from core.tb_entity_change_log union all select xmin from orders) q';
  expect(await database.query(numbers)).toEqual([{ n: 1 }]);
  const rows = await database.query(
    'select modification_type as verb, count(*)::int as n from core.tb_entity_change_log group by 1 order by 1',
  );
  expect(rows).toEqual([
    { verb: 'INSERT', n: 50 },
    { verb: 'UPDATE', n: 50 },
  ]);
});

test('a write that changes nothing records nothing, one that changes many records each', async () => {
  await database.query("insert into orders select 1, 'x' where false");
  await database.query("update orders set note = 'y' where id = -1; delete from orders where id = -1");
  await database.query("insert into orders select i, 'x' from generate_series(1, 3) i");
  const rows = await database.query('select object_key as key from core.tb_entity_change_log order by pk_entity_change_log');
  expect(rows).toEqual([{ key: '1' }, { key: '2' }, { key: '3' }]);
});
