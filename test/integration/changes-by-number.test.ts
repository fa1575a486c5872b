import { readChanges, readSomeChanges } from '../../src/change-log/changes-by-number.sql';
import { PageSize } from '../../src/change-log/page-size';
import { createPool, isCancelled } from '../../src/database/postgres';
import { createTestDatabase, type TestDatabase } from '../support/database';

const MIB = 1_048_576;
const LIMITS = { bytes: 4 * MIB, eventBytes: 16 * MIB };
const ROWS = 300;

let database: TestDatabase;
let numbers: number[];

beforeAll(async () => {
  database = await createTestDatabase();
  await database.query('create table public.orders (id int primary key, note text)');
  await database.capture('public.orders');
  await database.query(`insert into orders select i, repeat('x', ${MIB}) from generate_series(1, ${ROWS}) i`);
  const rows = await database.query<{ n: number }>('select pk_entity_change_log::int as n from core.tb_entity_change_log order by 1');
  numbers = rows.map(({ n }) => n);
});
afterAll(() => database.drop());

test('changes that PostgreSQL cannot measure together in time are asked for in fewer at once, until all have come in order', async () => {
  // One takes 10 ms, and all of them 3 s: on a machine that is ten times as slow this is time enough for some of them still.
  const pool = createPool(database.url, 1, { statementTimeout: 1_000 });
  const pageSize = new PageSize();
  const read: number[] = [];
  let failed = 0;
  for (let rest: readonly number[] = numbers; rest.length > 0;) {
    try {
      const some = await readSomeChanges(pool, rest, LIMITS, pageSize);
      expect(some.rows.length).toBeGreaterThan(0);
      read.push(...some.rows.map(([number]) => Number(number)));
      rest = some.rest;
    } catch (error) {
      expect(isCancelled(error)).toBe(true);
      failed++;
    }
  }
  await pool.end();
  expect(read).toEqual(numbers);
  expect(failed).toBeLessThan(10);
});

test('with the numbers in any order, and of some that are not stored, what is stored comes in the order of its numbers', async () => {
  const asked = [...numbers.slice(0, 20).reverse(), 900_000_001, numbers[20]!, 900_000_000];
  const read: number[] = [];
  for await (const [number] of readChanges(database.client, asked, LIMITS)) read.push(Number(number));
  expect(read).toEqual(numbers.slice(0, 21));
});

test('no more are asked for than had room the last time, twice', async () => {
  const pageSize = new PageSize();
  const first = await readSomeChanges(database.client, numbers, LIMITS, pageSize);
  expect(first.rows.length).toBeLessThan(5);
  expect(pageSize.rows).toBe(2 * first.rows.length);
  expect(first.rest).toEqual(numbers.slice(first.rows.length));
});
