import { connect, disconnect } from '../../src/database/postgres';
import type { Clock } from '../../src/event/clock';
import type { OperatorError } from '../../src/event/errors';
import { givenBackfills, runBackfill, type TestBackfill } from '../support/backfill';
import { containing, matching } from '../support/texts';

const { given, observe, backfilled } = givenBackfills();

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
  await given.database.query('create table orders (id int primary key); insert into orders select generate_series(1, 700)');
  await given.database.capture('public.orders');
  for (const [rate, rows, seconds] of [
    [100, 700, 7],
    [5_000, 700, 0.14],
    [1 / 60, 3, 180],
  ] as const) {
    const time = fakeTime();
    await runBackfill(given.database, { table: 'public.orders', again: true, rate, ...time, where: `id <= ${rows}` });
    expect([rate, Math.round(time.now()) / 1_000]).toEqual([rate, seconds]);
  }
});

test('one that is stopped goes on where it was, nothing twice and nothing left out; a finished one asks for --again; two at once exclude each other', async () => {
  await given.database.query(
    'create table orders (a int, b text, primary key (a, b)); insert into orders select i % 7, i::text from generate_series(1, 2000) i',
  );
  await given.database.capture('public.orders');
  let stop = false;
  const stopped = await runBackfill(given.database, {
    table: 'public.orders',
    onProgress: (done) => void (stop = done >= 700),
    interrupted: () => stop,
  });
  expect(stopped.state).toBe('stopped');
  expect(stopped.done).toBeGreaterThanOrEqual(700);
  expect(stopped.done).toBeLessThan(2_000);
  const [lets, stoppedMeanwhile] = [deferred<void>(), deferred<void>()];
  const first = runBackfill(given.database, {
    table: 'public.orders',
    onProgress: () => stoppedMeanwhile.resolve(),
    rate: 1_000,
    sleep: () => lets.promise,
  });
  await stoppedMeanwhile.promise;
  // It lives, and gives signs of it.
  const alive = setInterval(() => void given.database.query('update observers.backfill set seen_at = clock_timestamp()'), 100);
  await expect(runBackfill(given.database, { table: 'public.orders' })).rejects.toThrow('another process works on this backfill');
  clearInterval(alive);
  lets.resolve();
  expect(await first).toMatchObject({ state: 'finished', done: 2_000, id: stopped.id });
  const keys = (await backfilled()).map(({ key }) => key);
  expect([keys.length, new Set(keys).size]).toEqual([2_000, 2_000]);
  await expect(runBackfill(given.database, { table: 'public.orders' })).rejects.toThrow('is finished');
  expect(await runBackfill(given.database, { table: 'public.orders', observers: ['other'] })).toMatchObject({ done: 2_000 });
  const again = await runBackfill(given.database, { table: 'public.orders', again: true });
  expect(again.id).not.toBe(stopped.id);
  expect(await backfilled()).toHaveLength(6_000);
});

test('of two that come at the same moment one works, and whoever was taken for dead writes nothing more', async () => {
  await given.database.query('create table orders (id int primary key); insert into orders select generate_series(1, 3000)');
  await given.database.capture('public.orders');
  const results = await Promise.allSettled([1, 2, 3].map(() => runBackfill(given.database, { table: 'public.orders' })));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await backfilled()).toHaveLength(3_000);
  const [asleep, wakes] = [deferred<void>(), deferred<void>()];
  const sleep = (): Promise<void> => {
    asleep.resolve();
    return wakes.promise;
  };
  const first = runBackfill(given.database, { table: 'public.orders', again: true, rate: 1_000, sleep });
  await asleep.promise;
  await given.database.query("update observers.backfill set seen_at = clock_timestamp() - interval '1 min' where state = 'unfinished'");
  const taken = runBackfill(given.database, { table: 'public.orders' });
  expect(await taken).toMatchObject({ state: 'finished', done: 3_000 });
  wakes.resolve();
  await expect(first).rejects.toThrow('another process works on this backfill now');
  expect(await backfilled()).toHaveLength(6_000);
});

test('a row that somebody holds is waited for, and its newest version is sent; nobody else waits for long, and no writer is the victim of a deadlock', async () => {
  await given.database.query(
    'create table orders (id int primary key, v int not null); insert into orders select i, 0 from generate_series(1, 400) i',
  );
  await given.database.capture('public.orders');
  const [holder, writing] = [await connect(given.database.url, 'holder'), await connect(given.database.url, 'writer')];
  await holder.query('begin; update public.orders set v = 1 where id = 300');
  const waits = deferred<string>();
  const running = runBackfill(given.database, { table: 'public.orders', onWait: (why) => why !== null && waits.resolve(why) });
  expect(await waits.promise).toContain('another transaction is in the way');
  let longest = 0;
  for (let id = 295; id < 300; id++) {
    const begun = performance.now();
    await writing.query('update public.orders set v = 2 where id = $1', [id]);
    longest = Math.max(longest, performance.now() - begun);
  }
  // It would wait for the holder, and with it for this test itself.
  expect(longest).toBeLessThan(10_000);
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
    await given.database.query(
      'drop table if exists orders; delete from observers.captured_table; delete from observers.backfill; delete from core.tb_entity_change_log',
    );
    await given.database.query(
      'create table orders (id int primary key, v int); insert into orders select i, 0 from generate_series(1, 2000) i',
    );
    await given.database.capture('public.orders', { exclude: ['v'] });
    let done: Promise<unknown> | null = null;
    const run = runBackfill(given.database, {
      table: 'public.orders',
      capture: { exclude: ['v'] },
      onProgress: () => void (done ??= given.database.query(change)),
      rate: 500,
    });
    await expect(run.then(() => change)).rejects.toThrow(message);
    await Promise.resolve(done);
    for (const { data } of await backfilled()) expect(data).toMatch(/^\{"id":\d+\}$/);
  }
});

test('what cannot be backfilled is refused with what to do', async () => {
  await given.database.query(
    'create table orders (id int primary key, v text, j json); create table free (id int primary key); create view seen as select * from orders; create sequence counted',
  );
  await given.database.query("insert into orders values (1, 'abc', '{}')");
  await given.database.capture('public.orders');
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
    expect([backfill.where ?? backfill.table, await runBackfill(given.database, backfill).catch((error: Error) => error.message)]).toEqual([
      backfill.where ?? backfill.table,
      typeof message === 'string' ? containing(message) : matching(message),
    ]);
  expect(await given.database.query("select to_regclass('free') is not null as there")).toEqual([{ there: true }]);
  await given.database.query('create table byjson (k json, v int)');
  await given.database.capture('public.byjson', { key: ['k'] });
  await expect(runBackfill(given.database, { table: 'public.byjson', capture: { key: ['k'] } })).rejects.toThrow(
    'cannot be put in the order of their key',
  );
  expect(await backfilled()).toEqual([]);
});

test('a role needs no more than it is told to be given, and rows that a policy hides are never left out in silence', async () => {
  const role = `observers_test_backfill_${process.pid}`;
  await given.database.query(`create role ${role} login password 'secret'`);
  try {
    await given.database.query(
      'create schema "Shop x"; create table "Shop x".orders (id int primary key, email text); insert into "Shop x".orders select i, i::text from generate_series(1, 10) i',
    );
    const options = { table: '"Shop x".orders', capture: { mask: { email: 'hash' }, when: 'id > 0' } } as const;
    await given.database.capture(options.table, options.capture);
    await given.database.query(
      `revoke execute on all functions in schema observers from public; grant execute on function observers.shown(text), observers.readable(text) to public; grant execute on all functions in schema observers to observers_capture`,
    );
    const url = new URL(given.database.url);
    [url.username, url.password] = [role, 'secret'];
    const refused = (await runBackfill(given.database, { ...options, url: url.href }).catch((error: unknown) => error)) as OperatorError;
    expect(refused.message).toBe(`the role ${role} may not read "Shop x".orders, lock its rows and write to the change log`);
    expect(refused.remedy).toContain('grant update (id) on "Shop x".orders');
    const grants = refused.remedy.replace('Run as an administrator: ', '').split('; ');
    expect(grants.join()).not.toMatch(/mask_salt|_when/);
    for (const grant of grants) await given.database.query(grant);
    expect(await runBackfill(given.database, { ...options, url: url.href })).toMatchObject({ done: 10 });
    await given.database.query('alter table "Shop x".orders enable row level security');
    await expect(runBackfill(given.database, { ...options, url: url.href, again: true })).rejects.toThrow('row-level security hides rows');
  } finally {
    await given.database.query(`drop owned by ${role} cascade; drop role ${role}`);
  }
});

test('it does not run away from the service: while it has a backlog, the backfill waits', async () => {
  await given.database.query('create table orders (id int primary key); insert into orders select generate_series(1, 6000)');
  await given.database.capture('public.orders');
  await observe({ name: 'crm' });
  const held: (() => void)[] = [];
  given.receiver.answer = (_request, response) => void held.push(() => response.writeHead(204).end());
  const waits = deferred<void>();
  // Time passes only while it sleeps, as on a machine on which writing takes none.
  const { clock, sleep } = fakeTime();
  const running = runBackfill(given.database, {
    table: 'public.orders',
    clock,
    sleep,
    onWait: (why) => why?.includes('backlog') === true && waits.resolve(),
  });
  await Promise.race([waits.promise, running]);
  const [{ n }] = (await given.database.query<{ n: number }>('select count(*)::int as n from core.tb_entity_change_log')) as [
    { n: number },
  ];
  // A backlog of 2,000 and one chunk of 500.
  expect(n).toBeLessThan(2_500);
  given.receiver.answer = (_request, response) => void response.writeHead(204).end();
  for (const answer of held) answer();
  expect(await running).toMatchObject({ state: 'finished', done: 6_000 });
  await given.receiver.waitFor(6_000);
});
