import type { Client } from 'pg';
import { connect, disconnect } from '../../src/database/postgres';
import type { Clock } from '../../src/event/clock';
import type { OperatorError } from '../../src/event/errors';
import type { ObserverDefinition } from '../../src/event/definitions';
import type { Envelope } from '../../src/event/envelope';
import { runBackfill, targetOf, type TestBackfill } from '../support/backfill';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { endpointOf, observerOf, startStream, type TestStream } from '../support/stream';
import { containing, matching } from '../support/texts';
import { atLeast, untilRead, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let stream: TestStream | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
});

afterEach(async () => {
  await stream?.stop();
  stream = null;
  await receiver.close();
  await database.drop();
});

/** Observers, each with a path of its own. */
async function observe(...observers: (Partial<ObserverDefinition> & { name: string })[]): Promise<void> {
  stream = await startStream(
    database.url,
    observers.map(({ name, ...rest }) => observerOf(name, endpointOf(`${receiver.url}/${name}`, { concurrency: 8 }), rest)),
  );
}

interface Logged {
  readonly number: string;
  readonly verb: string;
  readonly key: string | null;
  readonly data: string | null;
  readonly tenant: string | null;
  readonly metadata: Record<string, unknown> | null;
}

const logged = (): Promise<Logged[]> =>
  database.query<Logged & Record<string, unknown>>(
    `select pk_entity_change_log as number, modification_type as verb, object_key as key, object_data::text as data, tenant_id as tenant,
       extra_metadata as metadata from core.tb_entity_change_log order by 1`,
  );
const backfilled = async (): Promise<Logged[]> => (await logged()).filter(({ verb }) => verb === 'BACKFILL');
const received = (name: string): Envelope[] =>
  receiver.requests.filter(({ path }) => path === `/${name}`).map(({ body }) => JSON.parse(body) as Envelope);

test('existing rows arrive at the observers that are named, as they are, whatever kinds these are for; at nobody else', async () => {
  await database.query('create table orders (id int primary key, total int)');
  await database.query('insert into orders select i, i * 10 from generate_series(1, 1200) i');
  await database.capture('public.orders', { entity: 'Order' });
  await observe(
    { name: 'crm', kinds: ['delete'], columns: ['total'] },
    { name: 'big', entities: ['Order'], when: 'total > 11900' },
    { name: 'changed', when: 'CHANGED(total) OR before.total = 1' },
    { name: 'others' },
  );
  const result = await runBackfill(database, {
    table: 'public.orders',
    observers: ['crm', 'big', 'changed'],
    capture: { entity: 'Order' },
  });
  expect(result).toMatchObject({ state: 'finished', done: 1_200, failed: 0, led: true });
  await receiver.waitFor(1_210);
  await untilRead(database);
  expect([received('crm').length, received('big').length, received('changed').length, received('others').length]).toEqual([
    1_200, 10, 0, 0,
  ]);
  const one = received('crm').find(({ entity }) => entity.key === '7');
  expect(one).toMatchObject({
    type: 'order.backfilled',
    data: { id: 7, total: 70 },
    before: null,
    changed: [],
    entity: { type: 'Order', key: '7' },
  });
});

test('the image is what the capture records: masks, exclusions, key, tenant and condition of the capture', async () => {
  await database.query(
    `create function public.same(text) returns text language sql as 'select $1'; create table people (id int primary key, code text not null, email text, phone text, secret text, tenant uuid, at timestamptz, amount float8)`,
  );
  const options = {
    entity: 'Person',
    key: ['code', 'id'],
    tenant: 'tenant',
    exclude: ['secret'],
    mask: { email: 'hash', phone: 'drop' },
    when: 'id > 1',
  } as const;
  await database.capture('public.people', options);
  await database.query(
    `insert into people select i, 'c' || i, 'a@b', '1', 's', '7e57d004-2b97-0e7a-b45f-5387367791cd', '2026-01-31T10:00:00.5+02', 0.1::float8 from generate_series(1, 3) i`,
  );
  await runBackfill(database, { table: 'public.people', capture: options, where: "same(email) = 'a@b' -- theirs" });
  const [live, filled] = [(await logged()).filter(({ verb }) => verb === 'INSERT'), await backfilled()];
  const facts = ({ key, data, tenant }: Logged) => [key, data, tenant];
  expect(filled.map(facts)).toEqual(live.map(facts));
  expect(filled).toHaveLength(2);
  expect(filled[0]?.data).not.toMatch(/a@b|secret|phone/);
  expect(filled[0]?.metadata).toEqual({ backfill: { id: expect.any(String) as string, observers: ['crm'] } });
});

/** Keys of every kind, their rows in order and each once, also from chunk to chunk. */
const KEYS: [type: string, values: string][] = [
  ['(k text collate "C" primary key)', "select 'k' || i from generate_series(1, 250) i"],
  ['(a int, k text, primary key (a, k))', "select i % 3, 'x' || i from generate_series(1, 250) i"],
  ['(k char(5) primary key)', 'select i::text from generate_series(1, 250) i'],
  ['(k numeric(10, 3) primary key)', 'select i / 7.0 from generate_series(1, 250) i'],
  ['(k float8 primary key)', "select i / 7.0 from generate_series(1, 250) i union all select 'NaN' union all select '-Infinity'"],
  ['(k timestamptz primary key)', "select now() + i * interval '1 us' from generate_series(1, 250) i"],
  ['(k int[] primary key)', 'select array[i % 5, i] from generate_series(1, 250) i'],
  ['(k bytea primary key)', "select decode(md5(i::text), 'hex') from generate_series(1, 250) i"],
  ['(k inet primary key)', "select '10.0.0.0'::inet + i from generate_series(1, 250) i"],
  ['(k bool, i int, primary key (k, i))', 'select i % 2 = 0, i from generate_series(1, 250) i'],
  ['("a ""b" int, "$t" uuid, primary key ("$t", "a ""b"))', 'select i, gen_random_uuid() from generate_series(1, 250) i'],
  ['(k "Mood""y" primary key)', `select unnest(enum_range(null::"Mood""y"))`],
  ['(k name_of primary key)', "select 'n' || i from generate_series(1, 250) i"],
  ['(k int4range primary key)', 'select int4range(i, i + 1) from generate_series(1, 250) i'],
  ['(k bit(10) primary key)', 'select i::bit(10) from generate_series(1, 250) i'],
  ['(k "char" primary key)', `select chr(i)::"char" from generate_series(1, 126) i`],
];

test.each(KEYS)('a table with the key %s is gone through in its order, each row once', async (columns, values) => {
  await database.query(
    `create type "Mood""y" as enum ('z', 'a''b', 'm'); create domain name_base as text; create domain name_of as name_base`,
  );
  await database.query(`create table "Odd table.x" ${columns}; insert into "Odd table.x" ${values}`);
  await database.capture('public."Odd table.x"', { entity: 'Odd' });
  const [{ count }] = (await database.query<{ count: number }>('select count(*)::int as count from "Odd table.x"')) as [{ count: number }];
  const { done } = await runBackfill(database, { table: 'public."Odd table.x"', capture: { entity: 'Odd' } });
  const rows = await backfilled();
  expect([done, rows.length, new Set(rows.map(({ key }) => key)).size]).toEqual([count, count, count]);
});

test('a table without a primary key: rows with the same key come together, and those without one are told', async () => {
  await database.query('create table logs (k int, j int, note text)');
  await database.query(
    `insert into logs select i / 300, i / 150, i::text from generate_series(0, 899) i; insert into logs values (1, null, 'no place')`,
  );
  await database.capture('public.logs', { entity: 'Log', key: ['k', 'j'] });
  const options = { table: 'public.logs', capture: { entity: 'Log', key: ['k', 'j'] } };
  const { countRows } = await import('../../src/backfill/target');
  expect(await countRows(database.client, await targetOf(database.client, options))).toEqual({ count: 900, unplaced: 1 });
  await runBackfill(database, options);
  expect(new Set((await backfilled()).map(({ data }) => data)).size).toBe(900);
});

test('partitions, an empty table, and rows that are deleted or get another key meanwhile', async () => {
  await database.query(`create table p (id int, d int, primary key (d, id)) partition by list (d);
    create table p1 partition of p for values in (1); create table p2 partition of p for values in (2)`);
  await database.query('insert into p select i, 1 + i % 2 from generate_series(1, 600) i');
  await database.capture('public.p', { entity: 'P' });
  const other = await connect(database.url, 'other');
  let changed = false;
  const onProgress = async (): Promise<void> => {
    if (changed) return;
    changed = true;
    await other.query(
      'delete from public.p where id between 300 and 309; update public.p set id = id + 10000 where id between 200 and 209 and d = 2',
    );
  };
  let wait: Promise<void> = Promise.resolve();
  await runBackfill(database, {
    table: 'public.p',
    capture: { entity: 'P' },
    onProgress: () => void (wait = wait.then(onProgress)),
    sleep: () => wait,
    rate: 1_000,
  });
  await disconnect(other);
  const keys = (await backfilled()).map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
  const there = await database.query<{ key: string }>('select json_build_array(d, id)::text as key from p');
  const known = new Set((await logged()).map(({ key }) => key));
  expect(there.filter(({ key }) => !known.has(key))).toEqual([]);
  await database.query('create table nothing (id int primary key)');
  await database.capture('public.nothing');
  expect(await runBackfill(database, { table: 'public.nothing' })).toMatchObject({ state: 'finished', done: 0 });
});

test('a row that cannot be written whole is recorded by its key with the reason; the others whole', async () => {
  await database.query(`create type odd as enum ('fine', 'bad'); create function odd_json(odd) returns json language plpgsql as
    $$ begin if $1 = 'bad' then raise exception 'no JSON of it'; end if; return to_json($1::text); end $$; create cast (odd as json) with function odd_json(odd)`);
  await database.query('create table docs (id int primary key, o odd)');
  await database.query("insert into docs select i, case i when 77 then 'bad' else 'fine' end::odd from generate_series(1, 300) i");
  await database.capture('public.docs', { entity: 'Doc' });
  expect(await runBackfill(database, { table: 'public.docs', capture: { entity: 'Doc' } })).toMatchObject({ done: 300, failed: 1 });
  const rows = await backfilled();
  expect(rows).toHaveLength(300);
  expect(rows.filter(({ data }) => data === null)).toMatchObject([{ key: '77', metadata: { capture_error: containing('no JSON of it') } }]);
  await observe({ name: 'crm' });
  await receiver.waitFor(299);
  const quarantine = await untilRows(database, 'select reason, message from observers.quarantine', atLeast(1));
  expect(quarantine).toMatchObject([{ reason: 'capture_error', message: containing('no JSON of it') }]);
});

/** One that writes to the same rows for as long as it is wanted. */
async function writer(client: Client, wanted: () => boolean, write: (client: Client) => Promise<unknown>): Promise<void> {
  try {
    while (wanted()) await write(client);
  } finally {
    await disconnect(client);
  }
}

test.each(['none', 'strict'] as const)(
  'writers hammer the same rows: nobody gets an image behind a newer change, and the last one is the row as committed (ordering %s)',
  async (ordering) => {
    const rows = 400;
    await database.query('create table items (id int primary key, v bigint not null)');
    await database.query('create sequence versions');
    await database.query(`insert into items select i, nextval('versions') from generate_series(1, ${rows}) i`);
    await database.capture('public.items', { entity: 'Item' });
    await observe({ name: 'crm', ordering });
    let running = true;
    const writers = await Promise.all([1, 2, 3, 4].map(() => connect(database.url, 'writer')));
    const hammering = writers.map((client, i) =>
      writer(
        client,
        () => running,
        async (one) => {
          const id = 1 + Math.floor(Math.random() * rows);
          if (i < 3) return one.query("update public.items set v = nextval('public.versions') where id = $1", [id]);
          await one.query('begin');
          await one
            .query("update public.items set v = nextval('public.versions') where id = any ($1)", [[id, 1 + ((id * 7) % rows)].sort()])
            .catch(() => undefined);
          if (Math.random() < 0.3) await one.query('delete from public.items where id = $1', [id]).catch(() => undefined);
          await one.query(Math.random() < 0.2 ? 'rollback' : 'commit');
          return one.query("insert into public.items values ($1, nextval('public.versions')) on conflict do nothing", [id]);
        },
      ),
    );
    for (let i = 0; i < 4; i++)
      await runBackfill(database, { table: 'public.items', capture: { entity: 'Item' }, again: true, rate: 2_000 });
    running = false;
    await Promise.all(hammering);
    const changes = await database.query<{ n: number }>('select count(*)::int as n from core.tb_entity_change_log');
    await receiver.waitFor(changes[0]!.n, 60_000);
    expect((await backfilled()).length).toBeGreaterThan(rows * 3);
    // The image chain, as the receiver sees it.
    const last = new Map<string, { image: string | null; sequence: number }>();
    for (const { entity, data, before, sequence, type } of received('crm')) {
      const known = last.get(entity.key);
      if (known !== undefined) {
        expect(sequence).toBeGreaterThan(known.sequence);
        if (type === 'item.created') expect(known.image).toBeNull();
        else expect([type, JSON.stringify(type === 'item.backfilled' ? data : before)]).toEqual([type, known.image]);
      }
      last.set(entity.key, { image: type === 'item.deleted' ? null : JSON.stringify(data), sequence });
    }
    const committed = await database.query<{ id: number; image: string }>('select id, row_to_json(items)::text as image from items');
    for (const { id, image } of committed) expect([id, last.get(String(id))?.image]).toEqual([id, image]);
  },
  120_000,
);

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

/** Time as the test has it: who sleeps moves it on. */
function fakeTime(): { clock: Clock; sleep: (ms: number) => Promise<void>; now: () => number } {
  let now = 0;
  return {
    clock: { now: () => now, monotonic: () => now },
    sleep: (ms) => {
      now += ms;
      return Promise.resolve();
    },
    now: () => now,
  };
}

test('a rate is kept, from one row a minute to thousands a second', async () => {
  await database.query('create table orders (id int primary key); insert into orders select generate_series(1, 700)');
  await database.capture('public.orders');
  for (const [rate, rows, seconds] of [
    [100, 700, 7],
    [5_000, 700, 0.14],
    [1 / 60, 3, 180],
  ] as const) {
    const time = fakeTime();
    await runBackfill(database, { table: 'public.orders', again: true, rate, ...time, where: `id <= ${rows}` });
    expect([rate, Math.round(time.now()) / 1_000]).toEqual([rate, seconds]);
  }
});

test('one that is stopped goes on where it was, nothing twice and nothing left out; a finished one asks for --again; two at once exclude each other', async () => {
  await database.query(
    'create table orders (a int, b text, primary key (a, b)); insert into orders select i % 7, i::text from generate_series(1, 2000) i',
  );
  await database.capture('public.orders');
  let stop = false;
  const stopped = await runBackfill(database, {
    table: 'public.orders',
    onProgress: (done) => void (stop = done >= 700),
    interrupted: () => stop,
  });
  expect(stopped.state).toBe('stopped');
  expect(stopped.done).toBeGreaterThanOrEqual(700);
  expect(stopped.done).toBeLessThan(2_000);
  const [lets, stoppedMeanwhile] = [deferred<void>(), deferred<void>()];
  const first = runBackfill(database, {
    table: 'public.orders',
    onProgress: () => stoppedMeanwhile.resolve(),
    rate: 1_000,
    sleep: () => lets.promise,
  });
  await stoppedMeanwhile.promise;
  // It lives, and gives signs of it.
  const alive = setInterval(() => void database.query('update observers.backfill set seen_at = clock_timestamp()'), 100);
  await expect(runBackfill(database, { table: 'public.orders' })).rejects.toThrow('another process works on this backfill');
  clearInterval(alive);
  lets.resolve();
  expect(await first).toMatchObject({ state: 'finished', done: 2_000, id: stopped.id });
  const keys = (await backfilled()).map(({ key }) => key);
  expect([keys.length, new Set(keys).size]).toEqual([2_000, 2_000]);
  await expect(runBackfill(database, { table: 'public.orders' })).rejects.toThrow('is finished');
  expect(await runBackfill(database, { table: 'public.orders', observers: ['other'] })).toMatchObject({ done: 2_000 });
  const again = await runBackfill(database, { table: 'public.orders', again: true });
  expect(again.id).not.toBe(stopped.id);
  expect(await backfilled()).toHaveLength(6_000);
});

test('of two that come at the same moment one works, and whoever was taken for dead writes nothing more', async () => {
  await database.query('create table orders (id int primary key); insert into orders select generate_series(1, 3000)');
  await database.capture('public.orders');
  const results = await Promise.allSettled([1, 2, 3].map(() => runBackfill(database, { table: 'public.orders' })));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await backfilled()).toHaveLength(3_000);
  const [asleep, wakes] = [deferred<void>(), deferred<void>()];
  const sleep = (): Promise<void> => {
    asleep.resolve();
    return wakes.promise;
  };
  const first = runBackfill(database, { table: 'public.orders', again: true, rate: 1_000, sleep });
  await asleep.promise;
  await database.query("update observers.backfill set seen_at = clock_timestamp() - interval '1 min' where state = 'unfinished'");
  const taken = runBackfill(database, { table: 'public.orders' });
  expect(await taken).toMatchObject({ state: 'finished', done: 3_000 });
  wakes.resolve();
  await expect(first).rejects.toThrow('another process works on this backfill now');
  expect(await backfilled()).toHaveLength(6_000);
});

test('a row that somebody holds is waited for, and its newest version is sent; nobody else waits for long, and no writer is the victim of a deadlock', async () => {
  await database.query(
    'create table orders (id int primary key, v int not null); insert into orders select i, 0 from generate_series(1, 400) i',
  );
  await database.capture('public.orders');
  const [holder, writing] = [await connect(database.url, 'holder'), await connect(database.url, 'writer')];
  await holder.query('begin; update public.orders set v = 1 where id = 300');
  const waits = deferred<string>();
  const running = runBackfill(database, { table: 'public.orders', onWait: (why) => why !== null && waits.resolve(why) });
  expect(await waits.promise).toContain('another transaction is in the way');
  let longest = 0;
  for (let id = 295; id < 300; id++) {
    const begun = performance.now();
    await writing.query('update public.orders set v = 2 where id = $1', [id]);
    longest = Math.max(longest, performance.now() - begun);
  }
  expect(longest).toBeLessThan(1_000);
  // Rows in the other direction: with more than one row locked at a time, one of the two would have to give way.
  for (let id = 299; id > 290; id--) await holder.query('update public.orders set v = 3 where id = $1', [id]);
  await holder.query('commit');
  expect(await running).toMatchObject({ state: 'finished', done: 400 });
  const [row] = (await backfilled()).filter(({ key }) => key === '300');
  expect(row?.data).toBe('{"id":300,"v":1}');
  await Promise.all([disconnect(holder), disconnect(writing)]);
});

test('a backfill that is cancelled stops, and one whose table changes or goes stops with a sentence', async () => {
  const cases: [change: string, message: string][] = [
    ["update observers.backfill set state = 'cancelled', ended_by = 'eve' where state = 'unfinished'", 'cancelled by eve'],
    ['alter table orders add column more int', 'its capture has changed since the backfill began'],
    ['alter table orders rename column v to w', 'its capture has changed since the backfill began'],
    ['drop table orders', 'its capture has changed since the backfill began'],
    ['delete from observers.captured_table', 'its capture has changed since the backfill began'],
  ];
  for (const [change, message] of cases) {
    await database.query(
      'drop table if exists orders; delete from observers.captured_table; delete from observers.backfill; delete from core.tb_entity_change_log',
    );
    await database.query('create table orders (id int primary key, v int); insert into orders select i, 0 from generate_series(1, 2000) i');
    await database.capture('public.orders', { exclude: ['v'] });
    let done: Promise<unknown> | null = null;
    const run = runBackfill(database, {
      table: 'public.orders',
      capture: { exclude: ['v'] },
      onProgress: () => void (done ??= database.query(change)),
      rate: 500,
    });
    await expect(run.then(() => change)).rejects.toThrow(message);
    await Promise.resolve(done);
    for (const { data } of await backfilled()) expect(data).toMatch(/^\{"id":\d+\}$/);
  }
});

test('what cannot be backfilled is refused with what to do', async () => {
  await database.query(
    'create table orders (id int primary key, v text, j json); create table free (id int primary key); create view seen as select * from orders; create sequence counted',
  );
  await database.query("insert into orders values (1, 'abc', '{}')");
  await database.capture('public.orders');
  const cases: [TestBackfill, string | RegExp][] = [
    [{ table: 'public.nowhere' }, 'there is no table public.nowhere'],
    [{ table: 'public.orders', where: 'v = ' }, /cannot read the condition: syntax error/],
    [{ table: 'public.orders', where: 'nope = 1' }, /cannot read the condition: column "nope" does not exist/],
    [{ table: 'public.orders', where: 'v' }, /cannot read the condition: argument of WHERE must be type boolean/],
    [{ table: 'public.orders', where: 'id = 1) or (1 = 1' }, 'cannot read the condition'],
    [{ table: 'public.orders', where: 'true) ; drop table free; --' }, 'cannot read the condition'],
    [{ table: 'public.orders', where: '1 then true when 2' }, 'cannot read the condition'],
    [{ table: 'public.orders', where: 'id = $1' }, 'cannot read the condition'],
    [{ table: 'public.orders', where: 'count(*) > 0' }, 'cannot read the condition'],
    [
      { table: 'public.orders', where: "nextval('counted') > 0" },
      'a condition (--where, or when: of the capture) may only read: cannot execute nextval() in a read-only transaction',
    ],
    [{ table: 'public.orders', where: 'v::int = 1' }, 'has no answer for one of the rows: invalid input syntax for type integer: "abc"'],
    [{ table: 'public.free', capture: { when: 'id > 1' } }, 'not captured as the observers file says'],
    [{ table: 'public.orders', capture: { mask: { v: 'drop' } } }, 'not captured as the observers file says'],
    [{ table: 'public.seen' }, 'not captured as the observers file says'],
  ];
  for (const [backfill, message] of cases)
    expect([backfill.where ?? backfill.table, await runBackfill(database, backfill).catch((error: Error) => error.message)]).toEqual([
      backfill.where ?? backfill.table,
      typeof message === 'string' ? containing(message) : matching(message),
    ]);
  expect(await database.query("select to_regclass('free') is not null as there")).toEqual([{ there: true }]);
  await database.query('create table byjson (k json, v int)');
  await database.capture('public.byjson', { key: ['k'] });
  await expect(runBackfill(database, { table: 'public.byjson', capture: { key: ['k'] } })).rejects.toThrow(
    'cannot be put in the order of their key',
  );
  expect(await backfilled()).toEqual([]);
});

test('a role needs no more than it is told to be given, and rows that a policy hides are never left out in silence', async () => {
  const role = `observers_test_backfill_${process.pid}`;
  await database.query(`create role ${role} login password 'secret'`);
  try {
    await database.query(
      'create schema "Shop x"; create table "Shop x".orders (id int primary key, email text); insert into "Shop x".orders select i, i::text from generate_series(1, 10) i',
    );
    const options = { table: '"Shop x".orders', capture: { mask: { email: 'hash' }, when: 'id > 0' } } as const;
    await database.capture(options.table, options.capture);
    await database.query(
      `revoke execute on all functions in schema observers from public; grant execute on function observers.shown(text), observers.readable(text) to public; grant execute on all functions in schema observers to observers_capture`,
    );
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'secret'];
    const refused = (await runBackfill(database, { ...options, url: url.href }).catch((error: unknown) => error)) as OperatorError;
    expect(refused.message).toBe(`the role ${role} may not read "Shop x".orders, lock its rows and write to the change log`);
    expect(refused.remedy).toContain('grant update (id) on "Shop x".orders');
    const grants = refused.remedy.replace('Run as an administrator: ', '').split('; ');
    expect(grants.join()).not.toMatch(/mask_salt|_when/);
    for (const grant of grants) await database.query(grant);
    expect(await runBackfill(database, { ...options, url: url.href })).toMatchObject({ done: 10 });
    await database.query('alter table "Shop x".orders enable row level security');
    await expect(runBackfill(database, { ...options, url: url.href, again: true })).rejects.toThrow('row-level security hides rows');
  } finally {
    await database.query(`drop owned by ${role} cascade; drop role ${role}`);
  }
});

test('it does not run away from the service: while it has a backlog, the backfill waits', async () => {
  await database.query('create table orders (id int primary key); insert into orders select generate_series(1, 6000)');
  await database.capture('public.orders');
  await observe({ name: 'crm' });
  const held: (() => void)[] = [];
  receiver.answer = (_request, response) => void held.push(() => response.writeHead(204).end());
  const waits = deferred<void>();
  // Time passes only while it sleeps, as on a machine on which writing takes none.
  const { clock, sleep } = fakeTime();
  const running = runBackfill(database, {
    table: 'public.orders',
    clock,
    sleep,
    onWait: (why) => why?.includes('backlog') === true && waits.resolve(),
  });
  await Promise.race([waits.promise, running]);
  const [{ n }] = (await database.query<{ n: number }>('select count(*)::int as n from core.tb_entity_change_log')) as [{ n: number }];
  // A backlog of 2,000 and one chunk of 500.
  expect(n).toBeLessThan(2_500);
  receiver.answer = (_request, response) => void response.writeHead(204).end();
  for (const answer of held) answer();
  expect(await running).toMatchObject({ state: 'finished', done: 6_000 });
  await receiver.waitFor(6_000, 60_000);
}, 90_000);

test('a row of a backfill that does not say for whom is never guessed', async () => {
  await database.query(`insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, extra_metadata)
    select 'Order', i::text, 'BACKFILL', '{}', (array[null, '{}', '{"backfill": 1}', '{"backfill": {"id": "x", "observers": []}}', '{"backfill": {"id": "x", "observers": [1]}}', '{"backfill": {"id": "x", "observers": "crm"}}'])[i]::jsonb
    from generate_series(1, 6) i`);
  await observe({ name: 'crm' });
  const found = await untilRows(database, 'select reason from observers.quarantine', 6);
  expect(new Set(found.map(({ reason }) => reason as string))).toEqual(new Set(['undecodable']));
  expect(receiver.requests).toEqual([]);
});
