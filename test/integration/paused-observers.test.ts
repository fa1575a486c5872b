import { pauseObserver, readPaused, resumeObserver } from '../../src/delivery/pauses.sql';
import type { ObserverDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { status, type Received } from '../support/receiver';
import { endpointOf, observerOf } from '../support/stream';
import { atLeast, eventually, until, untilLeading, untilRows } from '../support/until';

const given = givenOrders('create table orders (id int, n int, primary key (id))');

const observers = (changed: Partial<ObserverDefinition> = {}): ObserverDefinition[] => {
  const shared = endpointOf(`${given.receiver.url}/shared`);
  return [observerOf('held', shared, changed), observerOf('free', shared)];
};
const start = async (definitions = observers()): Promise<void> => {
  await given.start(definitions);
  const { service } = given.stream;
  await untilLeading(service);
};
const pause = (): Promise<boolean> => pauseObserver(given.database.client, 'main', 'held', 'ann', null);
const resume = (): Promise<boolean> => resumeObserver(given.database.client, 'main', 'held', 'test');
/** Changes of ten entities, each with versions from `from` to `to`. */
const write = async (from: number, to: number): Promise<void> => {
  for (let n = from; n <= to; n++)
    await given.database.query('insert into orders select i, $1 from generate_series(1, 10) i on conflict (id) do update set n = $1', [n]);
};
const by = (observer: string): Received[] =>
  given.receiver.requests.filter(({ headers }) => String(headers['observers-cause']).startsWith(`${observer}/`));
const versions = (requests: readonly Received[]): Map<string, number[]> => {
  const found = new Map<string, number[]>();
  for (const { body } of requests) {
    const { entity, data } = JSON.parse(body) as { entity: { key: string }; data: { n: number } };
    found.set(entity.key, [...(found.get(entity.key) ?? []), data.n]);
  }
  return found;
};
const eachOf = (observer: string): number[][] => [...versions(by(observer)).values()];
const held = (): number[][] => eachOf('held');
const aside = async (): Promise<number> => {
  const [row] = await given.database.query<{ n: number }>(
    "select count(*)::int as n from observers.pending_delivery where state = 'paused'",
  );
  return row!.n;
};
/** The leader looks five times a second. Each probe changes every row: an update that changes nothing is not sent to anybody. */
const inEffect = (): Promise<void> =>
  until(async () => {
    await write(-1, 0);
    return (await aside()) > 0;
  });
const upTo = (n: number): number[] => Array.from({ length: n }, (_none, i) => i + 1);
/** What was written only to see the pause come into effect does not count. */
const withoutProbes = (all: readonly number[]): number[] => all.filter((n) => n > 0);

test('a paused observer sends nothing, another one at the same endpoint goes on, and what has waited is sent in order', async () => {
  await start();
  await pause();
  await inEffect();
  await write(1, 20);
  await eventually(
    () => eachOf('free').map((all) => withoutProbes(all).length),
    (counts) => counts.length === 10 && counts.every((count) => count === 20),
  );
  const sent = by('held').length;
  await eventually(aside, (n) => n >= 200);
  expect(by('held')).toHaveLength(sent);
  await resume();
  await write(21, 30);
  await eventually(held, (all) => all.length === 10 && all.every((one) => one.at(-1) === 30));
  await eventually(aside, (left) => left === 0);
  for (const all of held()) expect(withoutProbes(all)).toEqual(upTo(30));
  for (const all of eachOf('free')) expect(withoutProbes(all)).toEqual(upTo(30));
  const ids = given.receiver.requests.map(({ headers }) => headers['webhook-id']);
  expect(new Set(ids).size).toBe(ids.length);
});

test('it outlives restarts, also one in which it was resumed', async () => {
  await start();
  await pause();
  await inEffect();
  await write(1, 3);
  await eventually(aside, (n) => n >= 30);
  await given.stop();
  const sent = by('held').length;
  await start();
  await write(4, 5);
  await eventually(aside, (n) => n >= 50);
  expect(by('held')).toHaveLength(sent);
  await given.stop();
  expect(await resume()).toBe(true);
  expect(await resume()).toBe(false);
  await start();
  await eventually(aside, (left) => left === 0);
  await eventually(held, (all) => all.length === 10 && all.every((one) => one.at(-1) === 5));
  for (const all of held()) expect(withoutProbes(all)).toEqual(upTo(5));
});

test('a retry waits too, and keeps its time; a redrive that a person asks for meanwhile is made all the same', async () => {
  given.receiver.answer = status(500);
  await start(
    observers({ retry: { strategy: 'fixed', maxAttempts: 1_000, initialDelay: 50, maxDelay: 50, maxElapsed: null, schedule: [] } }).slice(
      0,
      1,
    ),
  );
  await write(1, 1);
  await untilRows(given.database, 'select from observers.attempt where attempt > 1', atLeast(11));
  await pause();
  await eventually(aside, (n) => n === 10);
  const tries = given.receiver.requests.length;
  await given.database.query(
    "update observers.pending_delivery set redrive = true, state = 'queued', next_attempt_at = '-infinity', created_at = clock_timestamp() where change_number = (select min(change_number) from observers.pending_delivery)",
  );
  given.receiver.answer = status(204);
  await given.receiver.waitFor(tries + 1);
  await eventually(aside, (n) => n === 9);
  await resume();
  await untilRows(given.database, 'select from observers.pending_delivery', 0);
  expect(await given.database.query("select from observers.attempt where outcome = 'succeeded'")).toHaveLength(10);
});

test('redrives that were asked for before the pause wait for its end: it holds a bulk retry', async () => {
  await start(observers({}).slice(0, 1));
  await write(1, 1);
  await given.receiver.waitFor(10);
  await untilRows(given.database, 'select from observers.attempt', atLeast(10));
  const [tried] = [given.receiver.requests.length];
  await given.database.query(
    `insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, redrive)
     select change_number, observer, action, 'main', 'elsewhere', 'lane', 'retrying', 2, now() + interval '1 hour', true from observers.attempt`,
  );
  await pause();
  await eventually(aside, (n) => n === 10);
  await given.database.query('update observers.pending_delivery set next_attempt_at = now()');
  await resume();
  await untilRows(given.database, 'select from observers.pending_delivery', 0);
  expect(given.receiver.requests.length).toBeGreaterThanOrEqual(tried);
});

test('a strict lane keeps its head and its order', async () => {
  await start(observers({ ordering: 'strict' }));
  await write(1, 2);
  await until(() => by('held').length === 20);
  await pause();
  await inEffect();
  await write(3, 6);
  await untilRows(given.database, "select from observers.pending_delivery where state = 'waiting'", atLeast(40));
  expect(
    await given.database.query("select lane from observers.pending_delivery where state = 'paused' group by lane having count(*) > 1"),
  ).toEqual([]);
  await resume();
  await untilRows(given.database, 'select from observers.pending_delivery', 0);
  for (const all of held()) expect(withoutProbes(all)).toEqual(upTo(6));
});

test('paused and resumed again and again under load, each change is sent once and in order', async () => {
  await start();
  const writing = write(1, 120);
  for (let i = 0; i < 12; i++) {
    await pause();
    await given.receiver.waitFor(given.receiver.requests.length + 40);
    await resume();
    await given.receiver.waitFor(given.receiver.requests.length + 40);
  }
  await writing;
  await eventually(held, (all) => all.length === 10 && all.every((one) => one.length >= 120));
  for (const all of held()) expect(all).toEqual(upTo(120));
  expect(await readPaused(given.database.client, 'main')).toEqual([]);
});
