import type { DatabaseActionDefinition, ObserverDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { endpointOf, observerOf } from '../support/stream';
import { untilRows } from '../support/until';

const given = givenOrders(
  'create table public.orders (id bigint primary key, n int); create table public.invoices (id bigint primary key, n int)',
);
beforeEach(async () => {
  await given.database.capture('public.invoices', { entity: 'Invoice' });
});

const calls = (name: string, entity: string, f: string): ObserverDefinition => {
  const action: DatabaseActionDefinition = { type: 'database', name: 'call', function: `public.${f}`, timeout: 5_000 };
  return observerOf(name, endpointOf('http://127.0.0.1:9/unused'), { entities: [entity], actions: [action] });
};
const define = (name: string, sql: string): Promise<unknown> =>
  given.database.query(`create function public.${name}(event jsonb) returns void language plpgsql as $$ begin ${sql}; end $$`);
const dead = (count = 1): Promise<{ observer: string; error: string; message: string; attempts: number }[]> =>
  untilRows<{ observer: string; error: string; message: string; attempts: number }>(
    given.database,
    'select observer, error, message, attempts from observers.dead_letter',
    count,
  );

test('an observer whose function triggers it again stops at the hop limit, with the cycle written out', async () => {
  await define('again', "update public.orders set n = n + 1 where id = (event #>> '{entity,key}')::bigint");
  await given.start([calls('again', 'Order', 'again')]);
  await given.database.query('insert into orders values (1, 0)');
  expect(await dead()).toEqual([
    {
      observer: 'again',
      error: 'loop',
      attempts: 0,
      message: `the change was brought about by 8 deliveries, one after the other (OBSERVERS_MAX_HOPS): ${Array(8).fill('again/call').join(' → ')}; the cycle: again/call → again/call`,
    },
  ]);
  expect(await given.database.query('select n from orders')).toEqual([{ n: 8 }]);
});

test('a cycle through two observers is found too, and other entities go on meanwhile', async () => {
  await define(
    'bill',
    "insert into public.invoices values ((event #>> '{entity,key}')::bigint, 0) on conflict (id) do update set n = invoices.n + 1",
  );
  await define('mark', "update public.orders set n = n + 1 where id = (event #>> '{entity,key}')::bigint");
  const orders = calls('bill', 'Order', 'bill');
  await given.start(
    [
      { ...orders, when: 'id = 1' },
      calls('mark', 'Invoice', 'mark'),
      observerOf('hook', endpointOf(`${given.receiver.url}/hook`), { when: 'id = 2' }),
    ],
    { settings: { maxHops: 5 } },
  );
  await given.database.query('insert into orders values (1, 0), (2, 0)');
  const [letter] = await dead();
  expect(letter?.message).toContain(
    'bill/call → mark/call → bill/call → mark/call → bill/call; the cycle: bill/call → mark/call → bill/call',
  );
  await given.receiver.waitFor(1);
});

test('a webhook says what led to it, and an application that passes it on is stopped as well', async () => {
  given.receiver.answer = (request, response) => {
    const write = `begin; set local observers.cause = '${request.headers['observers-cause']}'; update orders set n = n + 1; commit`;
    void given.database.query(write).then(() => response.writeHead(204).end());
  };
  await given.start([observerOf('echo', endpointOf(`${given.receiver.url}/hook`))], { settings: { maxHops: 3 } });
  await given.database.query('insert into orders values (1, 0)');
  const [letter] = await dead();
  expect(letter?.message).toContain('echo/hook → echo/hook → echo/hook');
  expect(given.receiver.requests.map(({ headers }) => headers['observers-cause'])).toEqual([
    'echo/hook',
    'echo/hook,echo/hook',
    'echo/hook,echo/hook,echo/hook',
  ]);
});

test('what an application writes into the setting and is no cause, counts for nothing', async () => {
  await given.start([observerOf('echo', endpointOf(`${given.receiver.url}/hook`))], { settings: { maxHops: 1 } });
  for (const cause of ['', 'nonsense', '{"hops":99}', 'a/b, c/d', 'a/b\r\nx: y'])
    await given.database.query(
      `begin; set local observers.cause = '${cause}'; insert into orders select coalesce(max(id), 0) + 1 from orders; commit`,
    );
  await given.receiver.waitFor(5);
  expect(given.receiver.requests.map(({ headers }) => headers['observers-cause'])).toEqual(Array(5).fill('echo/hook'));
});

test('a redrive of what was stopped makes one more step, and no more', async () => {
  await define('again', "update public.orders set n = n + 1 where id = (event #>> '{entity,key}')::bigint");
  await given.start([calls('again', 'Order', 'again')]);
  await given.database.query('insert into orders values (1, 0)');
  await dead();
  await given.database
    .query(`insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, redrive)
    select change_number, observer, action, stream, endpoint, 'x', 'retrying', 1, now(), true from observers.dead_letter`);
  expect((await dead(2)).every(({ error }) => error === 'loop')).toBe(true);
  expect(await given.database.query('select n from orders')).toEqual([{ n: 9 }]);
});
