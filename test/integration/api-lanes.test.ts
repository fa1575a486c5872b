import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { startTestService, type TestService } from '../support/service';
import { untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let service: TestService;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  receiver.answer = status(400);
  await database.query('create table public.orders (id int primary key, total int)');
  const file = `
version: 1
capture: [{ table: public.orders, entity: Order }]
observers:
  - { name: lane, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: bad }] }
endpoints: { bad: { url: "${receiver.url}/bad", allow_addresses: [loopback], circuit_breaker: off } }`;
  service = await startTestService(database.url, { file });
  api = apiOf(service);
  await untilLeading(service.streams.main);
  await database.query('insert into public.orders values (1, 1), (2, 1), (3, 1)');
  await parked(3);
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
  await database.drop();
});

const parked = (count: number): Promise<unknown> =>
  untilRows(database, "select from observers.pending_delivery where state = 'parked'", count);
const keys = async (query = ''): Promise<string[]> =>
  (await api<{ items: { entityKey: string }[] }>(`GET /lanes${query}`)).body.items.map(({ entityKey }) => entityKey).sort();

test('lanes that are held up are listed, tried once more, given up, and moved to the dead letters', async () => {
  expect(await keys()).toEqual(['1', '2', '3']);
  expect((await api('GET /lanes?limit=1')).body['total']).toBe(3);
  expect([await keys('?entity_key=2'), await keys('?observer=lane&entity_key=99'), (await keys('?limit=1&offset=1')).length]).toEqual([
    ['2'],
    [],
    1,
  ]);
  expect((await api('POST /lanes/resume', { json: { entity_type: 'Order', entity_key: '1' } })).body).toEqual({
    resumed: 1,
    paused: 0,
    behind: 0,
    left: 0,
  });
  await parked(3);
  expect((await api('POST /lanes/skip', { json: { observer: 'lane', entity_key: '2' } })).body).toEqual({ lanes: 1, deliveries: 1 });
  expect((await api('POST /lanes/dead-letter', { json: { all: true, whole_lane: true } })).body).toEqual({ lanes: 2, deliveries: 2 });
  expect(await keys()).toEqual([]);
  const done = (await api<{ items: { what: string }[] }>('GET /operations')).body.items.map(({ what }) => what);
  expect(done.slice(0, 3).reverse()).toEqual(['lanes: resumed', 'dead letter: skipped', 'dead letter: taken out of its lane']);
});

test.each(['resume', 'skip', 'dead-letter'])('which lanes to %s is said, and never left to an empty body', async (what) => {
  for (const json of [{}, undefined, { action: 'webhook' }, { all: false }, { entity_key: '1' }])
    expect([json, (await api(`POST /lanes/${what}`, json === undefined ? {} : { json })).status]).toEqual([json, 400]);
});

test('where the stream stands, the versions that led it, and what is missing', async () => {
  const { body } = await api('GET /checkpoint');
  expect(body).toMatchObject({ stream: 'main', checkpoint: { state: 'sound' }, resets: [] });
  expect((await api('GET /config/versions')).body).toMatchObject({ items: [{ version: 1, current: true }] });
  await database.query(
    "insert into observers.unaccounted (stream, change_number, observer, action, config_version) values ('main', 1, 'lane', 'webhook', 1)",
  );
  expect((await api('GET /audit/unaccounted')).body).toMatchObject({ items: [{ changeNumber: 1, observer: 'lane', entityKey: '1' }] });
  expect((await api('POST /audit/dismiss', { json: { change: 1, reason: 'known' } })).body).toEqual({ dismissed: 1 });
  expect((await api('GET /audit/unaccounted')).body).toEqual({ items: [] });
  expect((await api('GET /operations?what=audit')).body).toMatchObject({
    items: [{ what: 'audit: dismissed', set: { count: 1, reason: 'known' } }],
  });
});

test('a path that takes other methods says which', async () => {
  for (const [route, allow] of [
    ['PUT /status', 'GET, HEAD'],
    ['DELETE /lanes/resume', 'POST'],
    ['POST /dlq/4b7a3c1e-0000-4000-8000-000000000001', 'DELETE, GET, HEAD'],
  ] as const) {
    const { status: code, headers, body } = await api(route);
    expect([route, code, headers['allow'], body['type']]).toEqual([route, 405, allow, 'urn:fraiseql-observers:problem:method-not-allowed']);
  }
  expect((await api('PUT /nowhere')).status).toBe(404);
});

test('a body that is not JSON is told where it stops being it, and nothing of it', async () => {
  const answer = await api('POST /lanes/skip', {
    body: '{\n  "observer": CANARY-secret\n}',
    headers: { 'content-type': 'application/json' },
  });
  expect([answer.status, answer.body['violations']]).toEqual([400, [{ at: 'body', message: 'line 2, column 15: expected a value' }]]);
});
