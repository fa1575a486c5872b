import { planCapture, applyCapture } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { until } from '../support/until';

// Two databases of one server, so the slot is made before the subscription: CREATE SUBSCRIPTION would wait for its own transaction.

let publisher: TestDatabase;
let database: TestDatabase;
let slot: string;

beforeEach(async () => {
  publisher = await createTestDatabase({ migrate: false });
  database = await createTestDatabase();
  slot = new URL(database.url).pathname.slice(1);
  const table = 'create table t (id int primary key, v text); create table u (id int primary key)';
  await publisher.query(`${table}; alter table t replica identity full; insert into t values (1, 'copied'), (2, 'copied')`);
  await publisher.query('create publication all_of_it for all tables');
  await database.query(table);
});

afterEach(async () => {
  await unsubscribe();
  await until(async () =>
    (await publisher.query<{ active: boolean }>('select active from pg_replication_slots where slot_name = $1', [slot])).every(
      ({ active }) => !active,
    ),
  );
  await publisher.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1', [slot]);
  await database.drop();
  await publisher.drop();
});

async function subscribe(copy = true): Promise<void> {
  await publisher.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
  const url = new URL(publisher.url);
  const connection = `host=${url.hostname} port=${url.port} user=${url.username} password=${url.password} dbname=${url.pathname.slice(1)}`;
  await database.query(
    `create subscription ${slot} connection '${connection}' publication all_of_it with (create_slot = false, slot_name = '${slot}', copy_data = ${copy}, enabled = false)`,
  );
}

/** A slot that is in use cannot be dropped, and a subscription that is gone has no worker. */
async function unsubscribe(): Promise<void> {
  if ((await database.query('select from pg_subscription where subname = $1', [slot])).length === 0) return;
  for (const what of [
    `alter subscription ${slot} disable`,
    `alter subscription ${slot} set (slot_name = none)`,
    `drop subscription ${slot}`,
  ])
    await database.query(what);
}

const enable = (): Promise<unknown> => database.query(`alter subscription ${slot} enable`);

/** Until all that is published has arrived: the last thing is a row of another table. */
async function arrived(id: number): Promise<void> {
  await publisher.query('insert into u values ($1)', [id]);
  await until(async () => (await database.query('select from u where id = $1', [id])).length === 1);
}

async function recorded(): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    `select modification_type || ' ' || coalesce(object_key || ' ' || coalesce(object_data_before ->> 'v', '-') || '>' || coalesce(object_data ->> 'v', '-'), extra_metadata::text) as text
     from core.tb_entity_change_log where object_type = 'Order' order by pk_entity_change_log`,
  );
  await database.query('delete from core.tb_entity_change_log');
  return rows.map(({ text }) => text);
}

const plan = async () => (await planCapture(database.client, [captureOf('public.t')]))[0]!;

test('what a subscription copies and applies is recorded once, and so is what others write', async () => {
  await subscribe();
  const planned = await plan();
  expect(planned.reasons).toEqual(['not captured', 'a subscription fills it: what its worker writes is recorded row by row']);
  await applyCapture(database.client, [planned]);
  expect((await plan()).reasons).toEqual([]);
  await enable();
  await until(async () => (await database.query('select from pg_subscription_rel where srsubstate <> $1', ['r'])).length === 0);
  expect((await recorded()).sort()).toEqual(['INSERT 1 ->copied', 'INSERT 2 ->copied']);

  await publisher.query(
    "insert into t values (3, 'new'), (4, 'new'); update t set v = 'changed' where id in (1, 3); update t set id = 40 where id = 4; delete from t where id = 2",
  );
  await arrived(1);
  expect(await recorded()).toEqual([
    'INSERT 3 ->new',
    'INSERT 4 ->new',
    'UPDATE 1 copied>changed',
    'UPDATE 3 new>changed',
    'DELETE 4 new>-',
    'INSERT 40 ->new',
    'DELETE 2 copied>-',
  ]);
  await publisher.query('truncate t');
  await arrived(2);
  expect(await recorded()).toEqual(['CUSTOM {"table": "public.t", "truncate": true}']);

  await database.query("insert into t values (5, 'local'), (6, 'local'); update t set v = 'x' where id = 5; delete from t where id = 6");
  expect(await recorded()).toEqual(['INSERT 5 ->local', 'INSERT 6 ->local', 'UPDATE 5 local>x', 'DELETE 6 local>-']);
  await database.query(
    "set session_replication_role = replica; insert into t values (7, 'r'), (8, 'r'); update t set v = 'x' where id = 7; delete from t where id = 8; reset session_replication_role",
  );
  expect(await recorded()).toEqual(['INSERT 7 ->r', 'INSERT 8 ->r', 'UPDATE 7 r>x', 'DELETE 8 r>-']);
});

test('a subscription to a captured table that has triggers of others: each change once, in order', async () => {
  await database.query(`create function twice() returns trigger language plpgsql as $$ begin
      if pg_trigger_depth() = 1 then update public.t set v = v || '!' where id = new.id; end if; return null; end $$;
    create trigger twice after insert on t for each row execute function twice(); alter table t enable always trigger twice`);
  await subscribe(false);
  await database.capture('public.t');
  await enable();
  await publisher.query("insert into t values (3, 'new')");
  await arrived(1);
  expect(await recorded()).toEqual(['INSERT 3 ->new', 'UPDATE 3 new>new!']);
  await database.query("insert into t values (4, 'local')");
  expect(await recorded()).toEqual(['INSERT 4 ->local', 'UPDATE 4 local>local!']);
});

test('a captured table that a subscription fills later is drift, in one sentence, and apply mends it', async () => {
  await database.capture('public.t');
  await subscribe(false);
  const drifted = await plan();
  expect(drifted).toMatchObject({
    state: 'drifted',
    reasons: ['a subscription fills public.t since it was captured: what its worker writes is not recorded until capture apply'],
  });
  await applyCapture(database.client, [drifted]);
  await enable();
  await publisher.query("insert into t values (3, 'new')");
  await arrived(1);
  expect(await recorded()).toEqual(['INSERT 3 ->new']);
  await unsubscribe();
  const after = await plan();
  expect(after).toMatchObject({
    state: 'drifted',
    reasons: ['no subscription fills public.t any longer: writes in the role replica are recorded row by row until capture apply'],
  });
  await applyCapture(database.client, [after]);
  expect((await plan()).state).toBe('current');
});

test('partitions that a subscription fills are recorded once, also such as are added later', async () => {
  const tree = `create table p (id int primary key) partition by range (id); create table p1 partition of p for values from (0) to (10)`;
  for (const one of [publisher, database]) await one.query(tree);
  await subscribe(false);
  await database.capture('public.p');
  for (const one of [publisher, database]) await one.query('create table p2 partition of p for values from (10) to (20)');
  const [drifted] = await planCapture(database.client, [captureOf('public.p')]);
  expect(drifted!.reasons).toEqual(['public.p2 has no trigger of the capture: what is written to it directly goes by unseen']);
  await database.capture('public.p');
  await enable();
  await database.query(`alter subscription ${slot} refresh publication with (copy_data = false)`);
  await publisher.query('insert into p values (1), (11)');
  await arrived(1);
  const keys = await database.query('select object_key as key from core.tb_entity_change_log order by 1');
  expect(keys).toEqual([{ key: '1' }, { key: '11' }]);
});
