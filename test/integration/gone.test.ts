import { requestRetries } from '../../src/redrive/redrive.sql';
import { readStatus } from '../../src/status/status.sql';
import type { EndpointDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { startReceiver, status } from '../support/receiver';
import { endpointOf, observerOf } from '../support/stream';
import { untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id int primary key)', () => startReceiver(status(410)));

const start = async (path = '/hook', changed: Partial<EndpointDefinition> = {}): Promise<void> => {
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}${path}`, { name: 'shop', ...changed }))]);
};
const insert = (id: number): Promise<unknown> => given.database.query('insert into orders values ($1)', [id]);
interface Letter {
  readonly id: string;
  readonly error: string;
  readonly message: string;
  readonly attempts: number;
}
const letters = (count: number): Promise<Letter[]> =>
  untilRows<Letter>(
    given.database,
    'select id::text, error, message, attempts from observers.dead_letter where resolved_at is null order by change_number',
    count,
  );
const redrive = (id: string): Promise<unknown> =>
  requestRetries(given.database.client, { ids: [id], who: 'me', detail: null, config: 'current', snapshot: null });

test('a receiver that is gone for good is asked once; the operator sees it, and what to do', async () => {
  await start();
  await insert(1);
  await letters(1);
  for (let id = 2; id <= 20; id++) await insert(id);
  const dead = await letters(20);
  expect(given.receiver.requests).toHaveLength(1);
  expect(new Set(dead.map(({ error }) => error))).toEqual(new Set(['gone']));
  expect(dead[19]?.message).toMatch(
    /^the endpoint shop is gone: it answered 410 at \d{4}-.*Z, and is not asked since; a redrive that succeeds/,
  );
  expect((await readStatus(given.database.client, 'main')).gone).toEqual([{ endpoint: 'shop', since: expect.any(String) as string }]);
});

test('it is remembered over a restart, and forgotten with another url', async () => {
  await start();
  await insert(1);
  await letters(1);
  await untilRows(given.database, 'select from observers.gone_endpoint', 1);
  await given.stop();
  await start();
  await insert(2);
  await letters(2);
  expect(given.receiver.requests).toHaveLength(1);
  await given.stop();
  given.receiver.answer = status(204);
  await start('/elsewhere');
  await insert(3);
  await given.receiver.waitFor(2);
  expect(given.receiver.requests[1]?.path).toBe('/elsewhere');
});

test('a redrive is tried all the same, and opens the endpoint when it succeeds', async () => {
  await start();
  await insert(1);
  const [first] = await letters(1);
  await redrive(first!.id);
  await given.receiver.waitFor(2);
  await untilRows(given.database, 'select from observers.attempt', 2);
  given.receiver.answer = status(204);
  await insert(2);
  await letters(2);
  expect(given.receiver.requests).toHaveLength(2);
  await redrive(first!.id);
  await letters(1);
  await insert(3);
  await given.receiver.waitFor(4);
  await untilRows(given.database, 'select from observers.gone_endpoint', 0);
});

test('of a url that is another one for each event only that one is gone', async () => {
  given.receiver.answer = (request, response) => void response.writeHead(request.path === '/orders/1' ? 410 : 204).end();
  await start('/orders/{{ entity.key }}', { name: 'shop' });
  await insert(1);
  await letters(1);
  await insert(2);
  await given.receiver.waitFor(2);
  expect(await given.database.query('select from observers.gone_endpoint')).toEqual([]);
});
