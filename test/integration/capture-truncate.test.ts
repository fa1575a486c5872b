import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const query = (sql: string): Promise<unknown> => database.query(sql);

/** What was recorded since it was last asked: the table of a TRUNCATE, or kind and key. */
async function recorded(): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    `select case when modification_type = 'CUSTOM' then 'truncate ' || (extra_metadata ->> 'table') || case when (extra_metadata ->> 'truncate')::boolean then '' else '?' end
       else modification_type || ' ' || object_key end as text
     from core.tb_entity_change_log order by pk_entity_change_log`,
  );
  await query('delete from core.tb_entity_change_log');
  return rows.map(({ text }) => text);
}

describe('several tables', () => {
  beforeEach(async () => {
    await query(`create table a (id int primary key); create table b (id int primary key references a); create table c (id int primary key references b);
                 create table u (id int primary key)`);
    for (const name of ['a', 'b', 'c', 'u']) await database.capture(`public.${name}`, { entity: name.toUpperCase() });
  });

  test.each([
    ['truncate a cascade', ['a', 'b', 'c']],
    ['truncate a, b, c', ['a', 'b', 'c']],
    ['truncate c, b, a, u', ['a', 'b', 'c', 'u']],
    ['truncate c; truncate u', ['c', 'u']],
    ['begin; truncate c; savepoint s; truncate u; rollback to s; truncate c; commit', ['c', 'c']],
    ['do $$ begin truncate u; insert into u values (1); truncate u; end $$', ['u', 'u']],
    ['truncate only u restart identity', ['u']],
  ])('%s: each table is recorded', async (sql, tables) => {
    await query(sql);
    const truncated = (await recorded()).filter((change) => change.startsWith('truncate '));
    expect(truncated.sort()).toEqual(tables.map((name) => `truncate public.${name}`));
  });

  test('TRUNCATE stands among the other changes where it happened', async () => {
    await query('insert into u values (1); do $$ begin truncate u; insert into u values (2); truncate u; insert into u values (3); end $$');
    expect(await recorded()).toEqual(['INSERT 1', 'truncate public.u', 'INSERT 2', 'truncate public.u', 'INSERT 3']);
  });

  test('a trigger of the table truncates another one, which is recorded too', async () => {
    await query(`create function clear() returns trigger language plpgsql as $$ begin truncate u; return null; end $$;
                 create trigger clear after truncate on c for each statement execute function clear()`);
    await query('truncate c');
    expect((await recorded()).sort()).toEqual(['truncate public.c', 'truncate public.u']);
  });
});

describe('a partitioned table', () => {
  const [root, middle, leaf] = ['truncate public.t', 'truncate public.t1', 'truncate public.t11'];
  beforeEach(async () => {
    await query(`create table t (id int, k int, primary key (id, k)) partition by range (id);
      create table t1 partition of t for values from (0) to (100) partition by list (k);
      create table t11 partition of t1 for values in (1); create table t12 partition of t1 for values in (2);
      create table t2 partition of t for values from (100) to (200)`);
    await database.capture('public.t');
  });

  test.each([
    ['truncate t', [root]],
    ['truncate t1', [middle]],
    ['truncate t11', [leaf]],
    ['truncate t, t11', [root]],
    ['truncate t11, t', [root]],
    ['truncate t11, t1', [middle]],
    ['truncate t2, t1', ['truncate public.t1', 'truncate public.t2']],
    ['begin; truncate t; truncate t; commit', [root, root]],
    ['begin; truncate t; truncate t11; commit', [root, leaf]],
    ['begin; truncate t11; truncate t; commit', [root, leaf]],
    ['begin; savepoint s; truncate t; rollback to s; truncate t11; commit', [leaf]],
    ['begin; truncate t; savepoint s; truncate t1; rollback to s; truncate t2; commit', [root, 'truncate public.t2']],
    ["begin; set local observers.mute = 'on'; truncate t; set local observers.mute = ''; truncate t11; truncate t; commit", [root, leaf]],
    ['do $$ begin begin truncate t; raise division_by_zero; exception when division_by_zero then null; end; truncate t11; end $$', [leaf]],
  ])('%s', async (sql, expected) => {
    await query(sql);
    expect((await recorded()).sort()).toEqual([...expected].sort());
  });

  test('a partition that was detached is truncated unseen, and the others are recorded in the same command', async () => {
    await query('alter table t1 detach partition t11');
    await query('begin; truncate t11, t1; truncate t12; commit');
    expect(await recorded()).toEqual([middle, 'truncate public.t12']);
  });

  test('a trigger that truncates a partition within a TRUNCATE of another table has it recorded', async () => {
    await query(`create table other (id int primary key);
      create function clear() returns trigger language plpgsql as $$ begin truncate t11; return null; end $$;
      create trigger clear after truncate on other for each statement execute function clear()`);
    await query('truncate other, t2');
    expect((await recorded()).sort()).toEqual([leaf, 'truncate public.t2']);
  });
});
