import { createTestDatabase, type TestDatabase } from '../support/database';
import { matching } from '../support/texts';

// Whatever error a condition or a cast of theirs raises: no write fails, and no row is lost.

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const raising = {
  'no_data_found, as SELECT INTO STRICT does': 'declare found int; begin select 1 into strict found where false; return $1 > 0; end',
  'no_data_found by itself': 'begin raise no_data_found; end',
  too_many_rows: 'begin raise too_many_rows; end',
  assert_failure: "begin assert $1 > 100, 'too small'; return true; end",
} as const;

const errors = (): Promise<unknown[]> =>
  database.query(
    `select modification_type as verb, object_key as key, extra_metadata ->> 'capture_error' as error from core.tb_entity_change_log order by pk_entity_change_log`,
  );

describe.each(Object.entries(raising))('a condition that raises %s', (_, body) => {
  beforeEach(async () => {
    await database.query(
      `create function holds(int) returns boolean language plpgsql as $$ ${body} $$; create table t (id int primary key, v int)`,
    );
  });

  test('each row is recorded with the error', async () => {
    await database.capture('public.t', { when: 'case when v > 0 then public.holds(v) else v = 0 end' });
    await database.query('insert into t values (1, 1); insert into t values (2, 1), (3, 0), (4, -1)');
    await database.query('update t set v = v; delete from t where id = 1');
    const error = matching(/^when: P000[234] /);
    expect(await errors()).toEqual([
      { verb: 'INSERT', key: '1', error },
      { verb: 'INSERT', key: '2', error },
      { verb: 'INSERT', key: '3', error: null },
      { verb: 'UPDATE', key: '1', error },
      { verb: 'UPDATE', key: '2', error },
      { verb: 'UPDATE', key: '3', error: null },
      { verb: 'DELETE', key: '1', error },
    ]);
  });

  test('with strict the write fails', async () => {
    await database.capture('public.t', { when: 'public.holds(v)', strict: true });
    await expect(database.query('insert into t values (1, 1)')).rejects.toMatchObject({ message: matching(/./) });
    await expect(database.query('insert into t values (1, 1), (2, 2)')).rejects.toMatchObject({ message: matching(/./) });
  });

  test('a logical apply worker goes on', async () => {
    await database.query(`create subscription nobody connection 'dbname=none' publication none with (connect = false, slot_name = none);
      insert into pg_subscription_rel (srsubid, srrelid, srsubstate) select oid, 't'::regclass, 'r' from pg_subscription where subname = 'nobody'`);
    try {
      await database.capture('public.t', { when: 'public.holds(v)' });
      await database.query('set session_replication_role = replica; insert into t values (1, 1)');
      expect(await errors()).toEqual([{ verb: 'INSERT', key: '1', error: matching(/^when: P000[234] /) }]);
    } finally {
      await database.query('set session_replication_role = origin; drop subscription nobody');
    }
  });
});

test.each(Object.entries(raising))('a cast that raises %s costs its column alone', async (_, body) => {
  await database.query(`create type mood as enum ('a');
    create function holds(int) returns boolean language plpgsql as $$ ${body} $$;
    create function mood_json(mood) returns json language plpgsql as $$ begin perform public.holds(1); return '1'; end $$;
    create cast (mood as json) with function mood_json(mood); create table t (id int primary key, m mood)`);
  await database.capture('public.t');
  await database.query("insert into t values (1, 'a')");
  await database.query("update t set id = 1; insert into t values (2, 'a'), (3, null)");
  expect(await errors()).toEqual(
    [1, 1, 2, 3].map((key, i) => ({
      verb: i === 1 ? 'UPDATE' : 'INSERT',
      key: String(key),
      error: key === 3 ? null : matching(/^m: P000[234] /),
    })),
  );
});

test('a statement that changes no row of the condition records nothing, within functions of theirs too', async () => {
  await database.query(`create table t (id int primary key, v int);
    create function f() returns void language plpgsql as $$ begin insert into t values (1, 0); update t set v = 0; delete from t where false; end $$`);
  await database.capture('public.t', { when: 'v > 0' });
  await database.query('select f(); set search_path = observers, public; update t set v = -1; reset search_path');
  expect(await errors()).toEqual([]);
});
