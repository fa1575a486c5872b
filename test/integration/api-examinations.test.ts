import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { deadLetters } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { matching } from '../support/texts';
import { untilLeading, untilRows } from '../support/until';

const ACME = '11111111-aaaa-4000-8000-000000000001';
const [READ, WRITE, TENANT] = ['CANARY-read-0123456789', 'CANARY-write-0123456789', 'CANARY-tenant-0123456789'];

let database: TestDatabase;
let receiver: Receiver;
let service: TestService;
let read: Api;
let write: Api;

const FILE = (url: string, when = 'total > 10'): string => `
version: 1
observers:
  - { name: ship, entity: Order, when: "${when}", actions: [{ type: webhook, endpoint: hook }] }
  - { name: guarded, entity: Order, when: "note > '\${SECRET}'", actions: [{ type: webhook, endpoint: hook }] }
endpoints:
  hook: { url: "${url}/hook", allow_addresses: [loopback], headers: { authorization: "Bearer literal-token-0123" } }
`;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  service = await startTestService(database.url, {
    file: FILE(receiver.url),
    env: { SECRET: 'CANARY-secret', OBSERVERS_API_TOKENS: `read:${READ},write:${WRITE},write:${TENANT};tenant=${ACME}`, OBSERVERS_API_RATE: '100000/s' }, // prettier-ignore
  });
  await untilLeading(service.streams.main);
  [read, write] = [READ, WRITE].map((token) => apiOf(service, { authorization: `Bearer ${token}` })) as [Api, Api];
  await database.query(
    `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data)
     select 'Order', i::text, 'INSERT', jsonb_build_object('id', i, 'total', i * 6) from generate_series(1, 4) i`,
  );
  await untilRows(database, 'select from observers.attempt', 3);
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
  await database.drop();
});

const recorded = async (what: string): Promise<unknown[]> =>
  (await read<{ items: unknown[] }>(`GET /operations?what=${encodeURIComponent(what)}`)).body.items;

test('the doctor says what is wrong, as the command does', async () => {
  const { status, body } = await read<{ problems: number; findings: { check: string }[] }>('GET /doctor');
  expect([status, body.problems]).toEqual([200, 0]);
  expect(body.findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['server', 'tls', 'migrations', 'grants', 'leader', 'lag']),
  );
  await database.query("insert into observers.unaccounted (stream, change_number, observer, action, config_version) values ('main', 99, 'ship', 'webhook', 1)"); // prettier-ignore
  expect((await read('POST /audit/dismiss')).status).toBe(403);
  expect((await write('POST /audit/dismiss', { json: { all: true, observer: 'nobody' } })).status).toBe(400);
  expect((await write('POST /audit/dismiss', { json: { all: true, reason: 'known' } })).body).toEqual({ dismissed: 1 });
  expect((await write('POST /audit/dismiss', { json: { all: true, change: 1 } })).status).toBe(400);
});

test('every change is accounted for, page after page', async () => {
  const { body } = await read('GET /audit/verify');
  expect(body).toMatchObject({ changes: 4, delivered: 3, notMatched: 1, unaccounted: 0, next: null, unverifiable: { outside: 4 } });
  expect((await read('GET /audit/verify?since=2999-01-01T00:00:00Z')).body).toMatchObject({ changes: 0, next: null });
  const behind = Buffer.from(JSON.stringify({ change: 3 })).toString('base64url');
  expect((await read(`GET /audit/verify?cursor=${behind}`)).body).toMatchObject({ changes: 1 });
  await database.query('delete from observers.attempt where change_number = 3');
  expect((await read('GET /audit/verify')).body).toMatchObject({ unaccounted: 1, list: [{ changeNumber: 3, observer: 'ship' }] });
});

test('what changed in the file is shown, and nothing of its secrets', async () => {
  expect((await read('GET /config/diff')).body).toMatchObject({ from: 'version 1', same: true, patch: '' });
  service.rewrite(FILE(receiver.url, 'total > 20').replace('literal-token-0123', 'other-token-0123'));
  const { body } = await read<{ patch: string; same: boolean }>('GET /config/diff');
  expect(body.same).toBe(false);
  expect(body.patch).toContain('+  - { name: ship, entity: Order, when: "total > 20"');
  expect(body.patch).toContain('[secret]');
  expect(body.patch).not.toMatch(/token-0123/);
  expect(body.patch).toContain('${SECRET}');
  expect((await read('GET /config/diff?from=1&to=1')).body['same']).toBe(true);
  expect(await read('GET /config/diff?from=99')).toMatchObject({ status: 404 });
  service.rewrite('version: 1\nobserver: []\n');
  expect(await read('GET /config/diff')).toMatchObject({ status: 422, body: { violations: expect.any(Array) as unknown } });
  expect((await read('GET /config/preview')).status).toBe(422);
});

test('a changed file is tried over the stored events, beside the version that leads', async () => {
  service.rewrite(FILE(receiver.url, 'total > 20'));
  const sent = receiver.requests.length;
  const { body } = await read('GET /config/preview?limit=3');
  expect(body).toMatchObject({
    version: 1,
    complete: true,
    events: 3,
    observers: [{ name: 'ship', is: 'kept', matched: 1, difference: { newlyMatched: { count: 0 }, noLongerMatched: { count: 2 } } }, {}],
  });
  expect(JSON.stringify(body)).toContain('[secret]');
  expect(JSON.stringify(body)).not.toContain('literal-token-0123');
  expect((await read('GET /config/preview?since=2999-01-01T00:00:00Z')).body).toMatchObject({ events: 0 });
  expect((await read('GET /config/preview?limit=10001')).status).toBe(400);
  expect(receiver.requests.length).toBe(sent);
  service.rewrite(FILE(receiver.url));
});

interface Tested {
  readonly event: { readonly data: unknown };
  readonly observers: { readonly name: string; readonly verdict: string }[];
  readonly notes: readonly string[];
  readonly sent: { readonly ok: boolean }[] | null;
}

test('an event is tried by a token that may look, and sent by one that may change', async () => {
  const sent = receiver.requests.length;
  const event = '{"entity":"Order","kind":"insert","key":"9","data":{"id":9,"total":12345678901234567890.10}}';
  const headers = { 'content-type': 'application/json' };
  const made = await read<Tested>('POST /test-event', { body: `{"event":${event}}`, headers });
  expect(made).toMatchObject({ status: 200, body: { sent: null, observers: [{ name: 'ship', verdict: 'matched' }] } });
  expect(made.text).toContain('"total":12345678901234567890.10');
  for (const more of [{ send: true }, { with_lookups: true }])
    expect(await read('POST /test-event', { json: { id: '2', ...more } })).toMatchObject({ status: 403 });
  expect([receiver.requests.length, await recorded('test event')]).toEqual([sent, []]);
  const really = await write<Tested>('POST /test-event', { json: { id: '2', send: true, observers: ['ship'] } });
  expect(really).toMatchObject({ status: 200, body: { sent: [{ ok: true, status: 204 }] } });
  expect(receiver.requests.length).toBe(sent + 1);
  expect(await recorded('test event')).toMatchObject([{ what: 'test event: sent', who: matching(/^api token/), set: { observers: ['ship'], deliveries: 1 } }]); // prettier-ignore
  expect(await database.query('select from observers.attempt where change_number = 2')).toHaveLength(1);
});

test('who may only look learns nothing by made-up events of what a condition takes from outside the file', async () => {
  const json = { event: { entity: 'Order', kind: 'insert', key: '9', data: { id: 9, note: 'D', total: 1 } } };
  const look = (await read<Tested>('POST /test-event', { json })).body;
  expect([look.observers.map(({ name }) => name), look.notes]).toEqual([['ship'], [matching(/^guarded is left out/)]]);
  expect((await read('POST /test-event', { json: { ...json, observers: ['guarded'] } })).status).toBe(404);
  expect((await write<Tested>('POST /test-event', { json })).body.observers.map(({ name }) => name)).toEqual(['ship', 'guarded']);
});

test.each([
  [{}, 400],
  [{ id: '999999' }, 404],
  [{ id: 'x' }, 400],
  [{ id: '2', observers: ['nobody'] }, 404],
  [{ event: { entity: 'Order' } }, 400],
  [{ event: 'Order' }, 400],
  [{ id: '2', event: { entity: 'Order' } }, 400],
])('%j is answered with a problem', async (json, status) => {
  expect(await write('POST /test-event', { json })).toMatchObject({ status });
});

test('a token that is bound to a tenant tries events of that tenant only', async () => {
  const bound = apiOf(service, { authorization: `Bearer ${TENANT}` });
  const event = { entity: 'Order', kind: 'insert', key: '9', data: { id: 9, total: 99 } };
  expect((await bound('POST /test-event', { json: { id: '2' } })).status).toBe(404);
  expect((await bound('POST /test-event', { json: { event } })).status).toBe(404);
  expect((await bound('POST /test-event', { json: { event: { ...event, tenant: ACME } } })).status).toBe(200);
});

test('many are given up in two steps, and stay on record', async () => {
  await deadLetters(database, 5, { observer: 'ship' });
  const look = await write<{ count: number; token: string }>('POST /dlq/discard', { json: { dry_run: true, observer: 'ship' } });
  expect(look).toMatchObject({ status: 200, body: { count: 5 } });
  expect(await database.query('select from observers.dead_letter where resolved_at is not null')).toEqual([]);
  const { token } = look.body;
  expect((await read('POST /dlq/discard', { json: { token } })).status).toBe(403);
  expect(await write('POST /dlq/retry-all', { json: { token } })).toMatchObject({ status: 400 });
  await deadLetters(database, 1, { observer: 'ship' });
  expect(await write('POST /dlq/discard', { json: { token, reason: 'a test' } })).toMatchObject({
    status: 202,
    body: { total: 5, discarded: 5, remaining: 0 },
  });
  expect((await read('GET /dlq')).body['items']).toHaveLength(1);
  expect((await write('POST /dlq/discard', { json: { token } })).body).toMatchObject({ discarded: 0, left: 5 });
  expect(await recorded('dead letter: discarded')).toMatchObject([{ set: { count: 5, note: 'a test' } }]);
  for (const json of [{}, { dry_run: false }, { token, observer: 'ship' }])
    expect([json, (await write('POST /dlq/discard', { json })).status]).toEqual([json, 400]);
});

test('the checkpoint is moved only as a look has shown it', async () => {
  for (const json of [{}, { to: 'now' }, { dry_run: true, to: 'tomorrow' }, { dry_run: true }])
    expect([json, (await write('POST /checkpoint/reset', { json })).status]).toEqual([json, 400]);
  expect(await write('POST /checkpoint/reset', { json: { dry_run: true, to: '999999' } })).toMatchObject({ status: 404 });
  expect((await read('POST /checkpoint/reset', { json: { dry_run: true, to: 'now' } })).status).toBe(403);
  const tokenTo = async (to: string): Promise<unknown> => (await write('POST /checkpoint/reset', { json: { dry_run: true, to } })).body['token']; // prettier-ignore
  const [first, second] = [await tokenTo('now'), await tokenTo('4')];
  expect(await write('POST /checkpoint/reset', { json: { token: second } })).toMatchObject({
    status: 200,
    body: { performed: true, to: '4' },
  });
  expect(await write('POST /checkpoint/reset', { json: { token: first } })).toMatchObject({ status: 400 });
  expect((await write('POST /checkpoint/reset', { json: { token: 'nothing' } })).status).toBe(400);
});

test('without tokens this machine may try an event, and needs the token of the data folder to send it', async () => {
  const other = await startTestService(database.url, { file: FILE(receiver.url), env: { SECRET: 'CANARY-secret' } });
  try {
    const nobody = apiOf(other, {});
    const json = { id: '2', observers: ['ship'] };
    expect((await nobody('POST /test-event', { json })).status).toBe(200);
    expect((await nobody('POST /test-event', { json: { ...json, send: true } })).status).toBe(403);
    expect((await nobody('POST /test-event', { json, headers: { origin: 'http://evil.example' } })).status).toBe(403);
    expect((await nobody('POST /dlq/discard', { json: { dry_run: true } })).status).toBe(401);
    expect((await apiOf(other)('POST /test-event', { json: { ...json, send: true } })).body['sent']).toHaveLength(1);
  } finally {
    await other.stop();
  }
});
