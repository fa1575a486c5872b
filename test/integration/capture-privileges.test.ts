import { applyCapture, checkConditions, planCapture } from '../../src/change-log/capture/capture';
import { runMigrations } from '../../src/database/migrator';
import { FUNCTIONS } from '../../src/database/roles/rights';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';

// What a database may have closed for everybody, or a session for itself: no write fails for it.

let database: TestDatabase;
afterEach(() => database.drop());

const recorded = async (): Promise<string[]> =>
  (
    await database.query<{ text: string }>(
      `select concat_ws(' ', object_type, modification_type, object_key, extra_metadata ->> 'capture_error') as text from core.tb_entity_change_log order by pk_entity_change_log`,
    )
  ).map(({ text }) => text);

describe('default privileges that give nothing to anybody', () => {
  beforeEach(async () => {
    database = await createTestDatabase({ migrate: false });
    await database.query(
      'alter default privileges revoke execute on functions from public; alter default privileges revoke usage on types from public',
    );
    await runMigrations(database.url);
  });

  test('what runs with the rights of its caller can be called by everybody, and nothing else can', async () => {
    const functions = await database.query<{ name: string; open: boolean }>(
      `select p.oid::regprocedure::text as name, p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0) as open
       from pg_proc p where p.pronamespace = 'observers'::regnamespace and p.prorettype <> 'trigger'::regtype order by 1`,
    );
    expect(functions.filter(({ open }) => !open).map(({ name }) => name)).toEqual(Object.keys(FUNCTIONS).sort());
  });

  test('everything is recorded: masks, conditions, triggers of others, partitions, traces, a table that was changed', async () => {
    await database.query(`create table a (id int primary key, email text, v int); create table b (id int primary key, v int);
      create function fb() returns trigger language plpgsql as $$ begin update b set v = v + 1 where id = new.id and v < 3; return null; end $$;
      create trigger zz after insert on b for each row execute function fb();
      create table p (id int primary key, v int) partition by range (id); create table p1 partition of p for values from (0) to (10)`);
    const captures = [
      captureOf('public.a', { entity: 'A', mask: { email: 'hash' }, when: "email > ''" }),
      captureOf('public.b', { entity: 'B' }),
      captureOf('public.p', { entity: 'P' }),
    ];
    await checkConditions(database.client, captures);
    await applyCapture(database.client, await planCapture(database.client, captures));
    await database.query("insert into a values (1, 'x', 1); update a set id = 2; insert into b values (1, 1); truncate p; truncate p1");
    await database.query("set observers.cause = 'x'; alter table a rename email to mail; insert into a values (3, 'y', 1)");
    expect(await recorded()).toEqual([
      ...['A INSERT 1', 'A DELETE 1', 'A INSERT 2', 'B INSERT 1', 'B UPDATE 1', 'P CUSTOM', 'P CUSTOM', 'A INSERT 3'],
    ]);
  });
});

test('a session that switched row_security off, as a restored dump does, writes where the log has policies', async () => {
  database = await createTestDatabase();
  await database.query(`create table t (id int primary key, v int); create table u (id int primary key);
    create function other() returns trigger language plpgsql as $$ begin update t set v = 1 where id = new.id; return null; end $$;
    create trigger zz after insert on t for each row execute function other();
    alter table core.tb_entity_change_log enable row level security;
    create policy everything on core.tb_entity_change_log to observers_capture using (true) with check (true)`);
  const captures = [captureOf('public.t', { entity: 'T' }), captureOf('public.u', { entity: 'U', when: '10 / id > 0' })];
  await applyCapture(database.client, await planCapture(database.client, captures));
  await database.query('set row_security = off; insert into t values (1); insert into u values (1), (0); truncate t');
  expect(await recorded()).toEqual(['T INSERT 1', 'T UPDATE 1', 'U INSERT 1', 'U INSERT 0 when: 22012 division by zero', 'T CUSTOM']);
});
