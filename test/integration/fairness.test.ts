import { givenOrders } from '../support/fixture';
import type { Received } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, type StreamOptions } from '../support/stream';
import { until, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, tenant uuid, step int)');
const A = '00000000-0000-0000-0000-00000000000a';
const B = '00000000-0000-0000-0000-00000000000b';

const dataOf = ({ body }: Received): { id: number; tenant: string; step: number } =>
  (JSON.parse(body) as { data: { id: number; tenant: string; step: number } }).data;

/** One delivery at a time, of which the first hangs. @returns lets the receiver answer */
async function start(options: StreamOptions = {}): Promise<() => void> {
  let open = false;
  const held: (() => void)[] = [];
  given.receiver.answer = (_, response) => {
    const end = (): void => void response.writeHead(204).end();
    if (open) end();
    else held.push(end);
  };
  await given.database.capture('public.orders', { tenant: 'tenant' });
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`, { concurrency: 1 }), { retry: FAST_RETRY })], options);
  return () => {
    open = true;
    for (const end of held) end();
  };
}

const insert = (tenant: string, from: number, to: number): Promise<unknown> =>
  given.database.query('insert into orders select n, $1::uuid, 1 from generate_series($2::int, $3::int) n', [tenant, from, to]);
const pending = (count: number): Promise<unknown> => untilRows(given.database, 'select 1 from observers.pending_delivery', count);

/** How many of A's came before the first of B's, which comes behind a hundred of A's. */
async function overtaken(place: Place, fairness: 'tenants' | 'none'): Promise<number> {
  const inMemory = place === 'in memory';
  const open = await start({ settings: { fairness, ...(inMemory ? { inlineBudget: 600_000 } : {}) } });
  await insert(A, 1, 100);
  await given.receiver.waitFor(1);
  if (!inMemory) await pending(100);
  await insert(B, 101, 101);
  if (inMemory) await until(() => given.stream.service.inFlight === 101);
  else await pending(101);
  open();
  await given.receiver.waitFor(101);
  return given.receiver.requests.findIndex((received) => dataOf(received).tenant === B);
}

type Place = 'in PostgreSQL' | 'in memory';
const PLACES: readonly Place[] = ['in PostgreSQL', 'in memory'];

test.each(PLACES)('the first delivery of a tenant waits for a round, and not for the backlog of another that stands %s', async (place) => {
  expect(await overtaken(place, 'tenants')).toBeLessThan(5);
});

test.each(PLACES)('with fairness: none whoever came first is first (%s)', async (place) => {
  expect(await overtaken(place, 'none')).toBe(100);
});

test('an entity that goes from tenant to tenant keeps the order of its changes in a backlog', async () => {
  const open = await start();
  await insert(A, 1, 30);
  await given.receiver.waitFor(1);
  for (let step = 2; step <= 9; step++)
    await given.database.query('update orders set step = $1, tenant = $2 where id = 7', [step, step % 2 === 0 ? B : A]);
  await pending(38);
  open();
  await given.receiver.waitFor(38);
  const steps = given.receiver.requests.map(dataOf).filter(({ id }) => id === 7).map(({ step }) => step); // prettier-ignore
  expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
