import { createTestDatabase, type TestDatabase } from '../support/database';
import { endpointOf, observerOf, startStream } from '../support/stream';
import { startReceiver } from '../support/receiver';
import { matching } from '../support/texts';

// Each is a way in which a statement's own triggers write to its table; the property test makes the rest. See ADR 20.

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const query = (sql: string): Promise<unknown> => database.query(sql);

interface Change {
  readonly entity: string;
  readonly key: string;
  readonly kind: string;
  readonly before: string | null;
  readonly data: string | null;
}

/** Kind and key in order; throws where the images of one entity are no chain. */
async function recorded(): Promise<string[]> {
  const changes = await database.query<never>(
    `select object_type as entity, object_key as key, modification_type as kind, object_data_before::text as before, object_data::text as data
     from core.tb_entity_change_log order by pk_entity_change_log`,
  );
  const last = new Map<string, string | null>();
  for (const { entity, key, kind, before, data } of changes as Change[]) {
    const previous = last.get(`${entity} ${key}`) ?? null;
    if (before !== previous) throw new Error(`${kind} ${entity} ${key} has ${before} before it, and the change before it left ${previous}`);
    last.set(`${entity} ${key}`, data);
  }
  return (changes as Change[]).map(({ entity, key, kind }) => `${entity === 'Order' ? '' : `${entity} `}${kind} ${key}`);
}

const trigger = (name: string, when: string, body: string): string =>
  `create function f_${name}() returns trigger language plpgsql as $$ begin ${body} return null; end $$;
   create trigger "${name}" ${when} execute function f_${name}()`;

async function table(): Promise<void> {
  await query('create table t (id int primary key, v int default 0, number text)');
}

test.each([
  ['one row', 'where id = 1', ['DELETE 1']],
  ['one of several', '', ['DELETE 1', 'UPDATE 2', 'UPDATE 3']],
  ['one of several, and another key', 'id = id * 10', ['DELETE 1', 'DELETE 2', 'INSERT 20', 'DELETE 3', 'INSERT 30']],
])(
  'a trigger of a partition refuses a row that moves there: it is gone, and the others are what they are (%s)',
  async (_, what, expected) => {
    await query(`create table t (id int, r int, v text, primary key (id, r)) partition by range (r);
    create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (20);
    create function refuse() returns trigger language plpgsql as $$ begin if new.v = 'no' then return null; end if; return new; end $$;
    create trigger aa before insert on t2 for each row execute function refuse()`);
    await database.capture('public.t', { key: ['id'], when: "v > ''" });
    await query("insert into t values (1, 1, 'no'), (2, 1, 'yes'), (3, 1, 'yes')");
    await query('truncate core.tb_entity_change_log');
    await query(`update t set r = 11${what.startsWith('id') ? `, ${what}` : ` ${what}`}`);
    const rows = await database.query<{ text: string; before: string | null }>(
      `select modification_type || ' ' || object_key as text, object_data_before ->> 'id' as before from core.tb_entity_change_log order by pk_entity_change_log`,
    );
    expect(rows.map(({ text }) => text).sort()).toEqual([...expected].sort());
    for (const { text, before } of rows) expect(before ?? text.split(' ')[1]).toBe(text.split(' ')[1]);
  },
);

test('an AFTER trigger that completes the row that was inserted: insert, then update', async () => {
  await table();
  await query(trigger('zz', 'after insert on t for each row', "update t set number = 'INV-' || new.id where id = new.id;"));
  await database.capture('public.t');
  await query('insert into t values (1), (2)');
  expect(await recorded()).toEqual(['INSERT 1', 'INSERT 2', 'UPDATE 1', 'UPDATE 2']);
});

test('a version that AFTER UPDATE counts up', async () => {
  await table();
  await query(trigger('zz', 'after update on t for each row', 'if new.v < 3 then update t set v = v + 1 where id = new.id; end if;'));
  await database.capture('public.t');
  await query('insert into t values (1); update t set v = 1; update t set v = 1 where id = 1');
  expect(await recorded()).toEqual(['INSERT 1', 'UPDATE 1', 'UPDATE 1', 'UPDATE 1', 'UPDATE 1', 'UPDATE 1', 'UPDATE 1']);
});

test('a row that AFTER DELETE brings back', async () => {
  await table();
  await query(trigger('zz', 'after delete on t for each row', 'insert into t values (old.id, old.v + 1);'));
  await database.capture('public.t');
  await query('insert into t values (1); delete from t');
  expect(await recorded()).toEqual(['INSERT 1', 'DELETE 1', 'INSERT 1']);
});

test('statement triggers that sort before ours and behind it', async () => {
  await table();
  await query(trigger('aa', 'after insert on t for each statement', 'update t set v = v + 1;'));
  await query(trigger('zz', 'after insert on t for each statement', 'update t set v = v + 10;'));
  await database.capture('public.t');
  await query('insert into t values (1), (2)');
  expect(await recorded()).toEqual(['INSERT 1', 'INSERT 2', 'UPDATE 1', 'UPDATE 2', 'UPDATE 1', 'UPDATE 2']);
});

test('through a second table and back', async () => {
  await table();
  await query('create table lines (id int primary key, t int)');
  await query(trigger('zz', 'after insert on t for each row', 'insert into lines values (new.id * 10, new.id);'));
  await query(trigger('back', 'after insert on lines for each row', 'update t set v = v + 1 where id = new.t;'));
  await database.capture('public.t');
  await database.capture('public.lines', { entity: 'Line' });
  await query('insert into t values (1)');
  expect(await recorded()).toEqual(['INSERT 1', 'Line INSERT 10', 'UPDATE 1']);
});

test('a table without triggers, to which the triggers of another one write: its changes come behind those of the statement', async () => {
  await table();
  await query('create table lines (id int primary key)');
  await query(trigger('zz', 'after insert on t for each row', 'insert into lines values (new.id);'));
  await database.capture('public.t');
  await database.capture('public.lines', { entity: 'Line' });
  await query('insert into t values (1), (2)');
  expect(await recorded()).toEqual(['INSERT 1', 'INSERT 2', 'Line INSERT 1', 'Line INSERT 2']);
});

test('a BEFORE INSERT trigger that deletes the key first, and one that updates another row in between', async () => {
  await table();
  const body = `delete from t where id = new.id; update t set v = v + 1 where id = 9; return new;`;
  await query(trigger('aa', 'before insert on t for each row', `if pg_trigger_depth() = 1 then ${body} end if; return new;`));
  await database.capture('public.t');
  await query('insert into t values (9), (1); insert into t values (1), (9), (2)');
  expect((await recorded()).filter((change) => / [12]$/.test(change))).toEqual(['INSERT 1', 'DELETE 1', 'INSERT 1', 'INSERT 2']);
});

test('a deferred constraint trigger writes behind everything', async () => {
  await table();
  const when = 'after insert on t deferrable initially deferred for each row';
  await query(trigger('zz', when, 'update t set v = v + 1 where id = new.id;').replace('create trigger', 'create constraint trigger'));
  await database.capture('public.t');
  await query('begin; insert into t values (1); update t set v = 5; commit');
  expect(await recorded()).toEqual(['INSERT 1', 'UPDATE 1', 'UPDATE 1']);
});

test('a foreign key of a table to itself deletes the rows below, and a trigger brings one of them back', async () => {
  await query('create table t (id int primary key, up int references t on delete cascade)');
  await query(trigger('zz', 'after delete on t for each row', 'if old.id = 3 then insert into t values (3, null); end if;'));
  await database.capture('public.t');
  await query('insert into t values (1, null), (2, 1), (3, 2); delete from t where id = 1');
  expect((await recorded()).slice(3)).toEqual(['DELETE 1', 'DELETE 2', 'DELETE 3', 'INSERT 3']);
});

test('two foreign keys act on one row: it is unlinked before it is deleted, also when more rows are unlinked later', async () => {
  await query(`create table p (id int primary key);
    create table t (id int primary key, a int references p on delete set null, b int references p on delete cascade)`);
  await database.capture('public.t');
  await query('insert into p values (1), (2), (3); insert into t values (1, 1, 2), (2, 3, null); delete from p');
  expect((await recorded()).slice(2).sort()).toEqual(['DELETE 1', 'UPDATE 1', 'UPDATE 2']);
});

test('WITH: a row that one part deletes and another one inserts again, where a foreign key has more to delete', async () => {
  await query('create table t (id int primary key, up int references t on delete cascade)');
  await database.capture('public.t');
  await query('insert into t values (4, null), (5, 4); with d as (delete from t where id = 4 returning *) insert into t select * from d');
  expect((await recorded()).slice(2).sort()).toEqual(['DELETE 4', 'DELETE 5', 'INSERT 4']);
});

test('WITH: a row that is deleted, inserted again, and then deleted by a foreign key to itself', async () => {
  await query('create table t (id int primary key, up int references t on delete cascade)');
  await database.capture('public.t');
  await query('insert into t values (4, 4); with d as (delete from t where id = 4 returning *) insert into t select * from d');
  expect(await recorded()).toEqual(['INSERT 4', 'DELETE 4', 'INSERT 4', 'DELETE 4']);
});

test('a function that an UPDATE calls writes to the table that is being updated', async () => {
  await table();
  await query(trigger('zz', 'after delete on t for each row', ''));
  await query(
    `create function f(of int) returns int language plpgsql as $$ begin update t set v = v + 10 where id = 1 and of > 1; return of; end $$`,
  );
  await database.capture('public.t');
  await query('insert into t values (1), (2); update t set v = v + f(id)');
  expect((await recorded()).slice(2).sort()).toEqual(['UPDATE 1', 'UPDATE 1', 'UPDATE 2']);
});

test('savepoints and errors that are caught leave the order as it is', async () => {
  await table();
  const fails = 'begin update t set v = v + 1 where id = new.id; raise division_by_zero; exception when division_by_zero then null; end;';
  await query(
    trigger(
      'aa',
      'after insert or update on t for each row',
      `if pg_trigger_depth() < 2 then ${fails} update t set v = v + 10 where id = new.id; end if;`,
    ),
  );
  await database.capture('public.t');
  await query(
    'begin; insert into t values (1); savepoint s; insert into t values (2); rollback to s; insert into t values (3); update t set v = 7; commit',
  );
  expect(await recorded()).toEqual(['INSERT 1', 'UPDATE 1', 'INSERT 3', 'UPDATE 3', 'UPDATE 1', 'UPDATE 3', 'UPDATE 1', 'UPDATE 3']);
});

test('what is muted within a statement does not confuse the ones after it', async () => {
  await table();
  const body =
    "if pg_trigger_depth() < 2 then perform set_config('observers.mute', 'on', true); update t set v = 1 where id = new.id; perform set_config('observers.mute', '', true); update t set v = v + 1 where id = new.id; end if;";
  await query(trigger('zz', 'after insert on t for each row', body));
  await database.capture('public.t');
  await query('begin; insert into t values (1); update t set v = v + 1; delete from t; commit');
  const kinds = await database.query('select modification_type as kind from core.tb_entity_change_log order by pk_entity_change_log');
  expect(kinds.map(({ kind }) => kind as string)).toEqual(['INSERT', 'UPDATE', 'UPDATE', 'DELETE']);
});

test('a role that may do nothing but write to its table has the order too', async () => {
  await table();
  await query(
    trigger('aa', 'before insert on t for each row', 'if pg_trigger_depth() = 1 then delete from t where id = new.id; end if; return new;'),
  );
  await database.capture('public.t');
  await query(
    'drop role if exists observers_test_writer; create role observers_test_writer; grant select, insert, update, delete on t to observers_test_writer',
  );
  try {
    await query('set role observers_test_writer; insert into t values (1); insert into t values (1); reset role');
    expect(await recorded()).toEqual(['INSERT 1', 'DELETE 1', 'INSERT 1']);
  } finally {
    await query('reset role; drop owned by observers_test_writer; drop role observers_test_writer');
  }
});

test('twenty thousand rows with a trigger for each, and none reads all of them', async () => {
  await table();
  await query(trigger('zz', 'after insert on t for each row', 'update t set number = new.id where id = new.id;'));
  await database.capture('public.t');
  const began = Date.now();
  await query(
    'insert into t select i from generate_series(1, 20000) i; insert into t select i from generate_series(1, 20000) i on conflict (id) do update set v = 2',
  );
  expect(await recorded()).toHaveLength(60_000);
  expect(Date.now() - began).toBeLessThan(120_000);
});

test('with ordering strict the receiver ends with the row as it was committed', async () => {
  await table();
  await query(trigger('zz', 'after insert on t for each row', "update t set number = 'INV-' || new.id where id = new.id;"));
  await database.capture('public.t');
  const receiver = await startReceiver();
  const stream = await startStream(database.url, [observerOf('mirror', endpointOf(`${receiver.url}/mirror`), { ordering: 'strict' })]);
  try {
    await query('insert into t select i from generate_series(1, 20) i');
    await receiver.waitFor(40);
    const mirror = new Map<number, string | null>();
    for (const { body } of receiver.requests) {
      const { data } = JSON.parse(body) as { data: { id: number; number: string | null } };
      mirror.set(data.id, data.number);
    }
    expect([...mirror].sort(([a], [b]) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => [i + 1, `INV-${i + 1}`]));
  } finally {
    await stream.stop();
    await receiver.close();
  }
});

test('one statement changes the key of a row, and a foreign key unlinks the same row', async () => {
  await query('create table t (id int primary key, up int references t on update set null)');
  await database.capture('public.t');
  await query('insert into t values (1, null), (4, 4); update t set id = id + 10');
  expect((await recorded()).slice(2)).toEqual(['DELETE 1', 'INSERT 11', 'DELETE 4', 'INSERT 14', 'UPDATE 14']);
});

test('one foreign key unlinks a row, and another one gives it another key', async () => {
  await query(`create table p (id int primary key);
    create table t (id int primary key references p on update cascade, up int references p on update set null)`);
  await database.capture('public.t');
  await query('insert into p values (1), (2); insert into t values (1, 1), (2, 1); update p set id = id + 10');
  expect((await recorded()).sort()).toEqual([
    'DELETE 1',
    'DELETE 2',
    'INSERT 1',
    'INSERT 11',
    'INSERT 12',
    'INSERT 2',
    matching('UPDATE'),
    matching('UPDATE'),
  ]);
});

test('keys that are unique only in the end: deletes first', async () => {
  await query('create table t (id int primary key deferrable initially deferred, up int)');
  await query(trigger('zz', 'after update on t for each row', ''));
  await database.capture('public.t');
  await query('insert into t values (1, 1), (2, 2); update t set id = id + 1');
  expect((await recorded()).slice(2)).toEqual(['DELETE 1', 'DELETE 2', 'INSERT 2', 'INSERT 3']);
});
