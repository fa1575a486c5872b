import { Webhook } from 'standardwebhooks';
import { LARGEST_BATCH } from '../../src/actions/batched-request';
import { batchId, deliveryId } from '../../src/event/delivery';
import type { EndpointDefinition, ObserverDefinition, WebhookActionDefinition } from '../../src/event/definitions';
import type { Envelope } from '../../src/event/envelope';
import { givenOrders } from '../support/fixture';
import { status, type Received } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, SECRET } from '../support/stream';
import { containing } from '../support/texts';
import { atLeast, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, note text, version int)');

const start = async (
  action: Partial<WebhookActionDefinition> = {},
  endpoint: Partial<EndpointDefinition> = {},
  observer: Partial<ObserverDefinition> = {},
): Promise<void> => {
  const to = endpointOf(`${given.receiver.url}/hook`, { name: 'hook', ...endpoint });
  const webhook: WebhookActionDefinition = {
    type: 'webhook',
    name: 'tell',
    endpoint: to,
    method: 'POST',
    headers: {},
    body: null,
    batch: { max: 100, within: 50 },
    ...action,
  };
  await given.start([observerOf('all', to, { actions: [webhook], ...observer })]);
};

const insert = (count: number, note = "''"): Promise<unknown> =>
  given.database.query(`insert into orders select i, ${note} from generate_series(1, ${count}) i`);
const envelopes = ({ body }: Received): Envelope[] => JSON.parse(body) as Envelope[];
const keys = (request: Received): string[] => envelopes(request).map(({ entity }) => entity.key);
const arrived = (all: readonly Received[]): string[] => all.flatMap(keys);
const finished = (count: number): Promise<Record<string, unknown>[]> =>
  untilRows(given.database, "select change_number, outcome, error, status from observers.attempt where outcome <> 'retry'", atLeast(count));

test('many deliveries are few requests: arrays of envelopes, signed over their bytes, and each delivery has its outcome', async () => {
  await start({ batch: { max: 30, within: 50 } });
  await insert(100);
  const requests = await given.receiver.waitFor((all) => arrived(all).length >= 100);
  expect(requests.length).toBeLessThan(10);
  expect(Math.max(...requests.map((request) => envelopes(request).length))).toBeLessThanOrEqual(30);
  expect(new Set(arrived(requests)).size).toBe(100);
  for (const request of requests) {
    expect(new Webhook(SECRET).verify(request.bytes, request.headers)).toEqual(envelopes(request));
    const ids = envelopes(request).map(({ id }) => deliveryId(id, 'all', 'tell'));
    expect(request.headers).toMatchObject({ 'webhook-id': batchId(ids), 'observers-action': 'all/tell' });
    expect(request.headers).not.toHaveProperty('traceparent');
  }
  const rows = await finished(100);
  expect(new Set(rows.map(({ outcome, status: code }) => `${String(outcome)} ${String(code)}`))).toEqual(new Set(['succeeded 204']));
});

test('a batch never holds two changes of one entity, and the changes of each arrive in order', async () => {
  await start({ batch: { max: 100, within: 5 } });
  await insert(5);
  for (let version = 1; version <= 6; version++) await given.database.query('update orders set version = $1', [version]);
  const requests = await given.receiver.waitFor((all) => arrived(all).length >= 35);
  for (const request of requests) expect(new Set(keys(request)).size).toBe(keys(request).length);
  for (const key of ['1', '5']) {
    const own = requests.flatMap(envelopes).filter(({ entity }) => entity.key === key);
    expect(own.map(({ data }) => (data as { version: unknown }).version)).toEqual([null, 1, 2, 3, 4, 5, 6]);
  }
});

test('an own JSON body makes an array of its own, and a delivery whose template fails fails alone', async () => {
  await start({ body: '{ "order": {{ entity.key | json }}, "note": {{ note }} }' });
  await given.database.query(`insert into orders values (1, '10'), (2, 'no number'), (3, '30')`);
  const requests = await given.receiver.waitFor((all) => all.flatMap(envelopes).length >= 2);
  expect(requests.flatMap(({ body }) => JSON.parse(body) as unknown[])).toEqual([
    { order: '1', note: 10 },
    { order: '3', note: 30 },
  ]);
  const [letter] = await untilRows(given.database, 'select entity_key, error from observers.dead_letter', 1);
  expect(letter).toEqual({ entity_key: '2', error: 'template' });
});

test('a failed batch is tried again, its deliveries gathered anew', async () => {
  let failures = 1;
  given.receiver.answer = (request, response) => void response.writeHead(failures-- > 0 ? 503 : 204).end(String(request.path));
  await start({ batch: { max: 50, within: 30 } });
  await insert(20);
  const requests = await given.receiver.waitFor((all) => all.length >= 2 && arrived(all.slice(1)).length >= 20);
  expect(new Set(arrived(requests.slice(1))).size).toBe(20);
  expect(await finished(20)).toHaveLength(20);
  const retried = await given.database.query("select distinct error, status from observers.attempt where outcome = 'retry'");
  expect(retried).toEqual([{ error: 'http_status', status: 503 }]);
});

test('of a batch that the receiver refuses, each delivery goes alone the next time: the culprit is dead, the others arrive', async () => {
  const good: string[] = [];
  given.receiver.answer = (request, response) => {
    const bad = keys(request).includes('3');
    if (!bad) good.push(...keys(request));
    response.writeHead(bad ? 422 : 204).end(bad ? 'order 3 is odd' : '');
  };
  await start();
  await insert(5);
  await finished(5);
  expect(good.sort()).toEqual(['1', '2', '4', '5']);
  expect(given.receiver.requests.slice(1).map((request) => keys(request).length)).toEqual([1, 1, 1, 1, 1]);
  const refused = await given.database.query(
    "select distinct error, status, message, response from observers.attempt where outcome = 'retry'",
  );
  const message = 'the receiver refused a batch of 5 (422); the next time each of its deliveries is sent alone';
  expect(refused).toEqual([{ error: 'batch_refused', status: 422, message, response: 'order 3 is odd' }]);
  const letters = await untilRows(given.database, 'select entity_key, error, status from observers.dead_letter', atLeast(1));
  expect(letters).toEqual([{ entity_key: '3', error: 'http_status', status: 422 }]);
});

test('a body stays below 1 MiB, and a delivery that is larger goes alone', async () => {
  await start({ batch: { max: 100, within: 200 } }, { concurrency: 4 });
  await insert(7, `case when i = 4 then repeat('x', ${LARGEST_BATCH}) else repeat('x', 300000) end`);
  const requests = await given.receiver.waitFor((all) => arrived(all).length >= 7);
  for (const request of requests) if (keys(request).length > 1) expect(request.bytes.length).toBeLessThanOrEqual(LARGEST_BATCH);
  expect(requests.find((request) => keys(request).includes('4'))?.bytes.length).toBeGreaterThan(LARGEST_BATCH);
  expect(keys(requests.find((request) => keys(request).includes('4'))!)).toEqual(['4']);
  expect(Math.max(...requests.map((request) => keys(request).length))).toBe(3);
});

test('no more requests are under way than the endpoint’s concurrency; meanwhile batches grow', async () => {
  let open = 0;
  let most = 0;
  given.receiver.answer = (_request, response) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      response.writeHead(204).end();
    }, 60);
  };
  await start({ batch: { max: 50, within: 1 } }, { concurrency: 1 });
  for (let id = 1; id <= 40; id++) await given.database.query('insert into orders values ($1)', [id]);
  const requests = await given.receiver.waitFor((all) => arrived(all).length >= 40);
  expect(most).toBe(1);
  expect(requests.length).toBeLessThan(30);
  await finished(40);
});

test('a batch that finds no place within the endpoint’s timeout is a timeout that says so', async () => {
  given.receiver.answer = () => undefined;
  const to = endpointOf(`${given.receiver.url}/hook`, { concurrency: 1, timeout: 200 });
  const actions = ['first', 'second', 'third'].map(
    (name) => ({ type: 'webhook', name, endpoint: to, method: 'POST', headers: {}, body: null, batch: { max: 3, within: 1 } }) as const,
  );
  await given.start([observerOf('all', to, { actions, retry: { ...FAST_RETRY, maxAttempts: 1 } })]);
  await insert(1);
  const letters = await untilRows(given.database, 'select message from observers.dead_letter order by message', 3);
  expect(letters.map(({ message }) => message as string)).toEqual([
    containing('no answer within 200 ms'),
    containing('no answer within 200 ms'),
    containing("none of the endpoint's requests (concurrency 1) ended within 200 ms"),
  ]);
});

test('a stop does not wait for a batch that gathers; its deliveries are sent after the next start', async () => {
  const begun = performance.now();
  const last = { shutdownTimeout: 50 };
  const to = endpointOf(`${given.receiver.url}/hook`);
  const slow = {
    type: 'webhook',
    name: 'tell',
    endpoint: to,
    method: 'POST',
    headers: {},
    body: null,
    batch: { max: 100, within: 10_000 },
  } as const;
  await given.start([observerOf('all', to, { actions: [slow] })], { settings: { ...last, inlineBudget: 20 } });
  await insert(3);
  await untilRows(given.database, 'select from observers.pending_delivery', 3);
  await given.stop();
  expect(performance.now() - begun).toBeLessThan(8_000);
  expect(given.receiver.requests).toHaveLength(0);
  given.receiver.answer = status(204);
  await start();
  await given.receiver.waitFor((all) => arrived(all).length >= 3);
  await finished(3);
});
