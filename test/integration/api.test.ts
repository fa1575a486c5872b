import { apiOf, type Api, type ApiAnswer } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { deadLetters, fingerprint } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { containing, matching } from '../support/texts';
import { eventually, until, untilLeading } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let service: TestService;
let api: Api;

const UNKNOWN = '4b7a3c1e-0000-4000-8000-000000000001';

const FILE = (url: string): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
observers:
  - { name: all, entity: Order, when: "total > 10", retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: hook }] }
  - { name: secret, entity: Order, when: "note = '\${SECRET}'", actions: [{ type: webhook, name: key, url: "${url}/\${SECRET}", allow_addresses: [loopback] }, { type: cache, delete: "\${SECRET}:{{ entity.key }}" }] }
endpoints:
  hook: { url: "${url}/hook", allow_addresses: [loopback], circuit_breaker: { minimum: 2, open_for: 1h } }
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table public.orders (id int primary key, total numeric, note text)');
  service = await start();
  api = apiOf(service);
});

afterEach(async () => {
  await service.stop();
  await receiver.close();
  await database.drop();
});

async function start(): Promise<TestService> {
  const env = { SECRET: 'CANARY-secret', REDIS_URL: 'redis://127.0.0.1:1' };
  const started = await startTestService(database.url, { file: FILE(receiver.url), env });
  await until(() => started.streams.main.state === 'leading' || started.streams.main.state === 'standing by');
  return started;
}

const problem = (kind: string, status: number): unknown =>
  expect.objectContaining({
    status,
    headers: expect.objectContaining({ 'content-type': 'application/problem+json; charset=utf-8' }) as unknown,
    body: expect.objectContaining({ type: `urn:fraiseql-observers:problem:${kind}`, status }) as unknown,
  });

/** What the service itself writes while it runs is none of a request's doing: its lease, its heartbeat, how far it has read. */
const written = async (): Promise<Record<string, string>> => {
  const all = await fingerprint(database);
  return Object.fromEntries(Object.entries(all).filter(([table]) => !/^observers\.(lease|listener|checkpoint|audit)$/.test(table)));
};

const processed = async (change: number): Promise<ApiAnswer> =>
  eventually(
    () => api(`GET /events/${change}`),
    ({ body }) => body['state'] === 'processed',
  );

test('the status, the instances and the circuit breakers are those of the running service', async () => {
  const { status, body } = await api('GET /status');
  expect([status, body]).toMatchObject([
    200,
    { stream: 'main', leader: { holder: service.streams.main.holder, alive: true }, lag: { events: 0 }, dead: 0 },
  ]);
  expect((await api('GET /listeners')).body).toMatchObject({
    listeners: [{ id: service.streams.main.holder, leads: true, self: true, address: service.address }],
  });
  expect((await api('GET /circuit-breakers')).body).toMatchObject({
    source: 'this instance leads',
    breakers: expect.arrayContaining([{ name: 'hook', state: 'closed', requests: 0, failures: 0, probeIn: null }]) as unknown,
  });
});

test('observers are described without what came from outside the file, with who has paused them', async () => {
  const { body } = await api<{ observers: Record<string, unknown>[] }>('GET /observers');
  expect(body.observers).toMatchObject([
    { name: 'all', when: 'total > 10', kinds: ['insert', 'update', 'delete', 'custom'], paused: null, pending: 0, dead: 0 },
    { name: 'secret', when: "note = '${SECRET}'", actions: [expect.anything(), containing('removes ${SECRET}:{{ entity.key }}')] },
  ]);
  expect(await api('POST /observers/all/pause', { json: { reason: 'their release' } })).toMatchObject({
    status: 200,
    body: { observer: 'all', paused: true, changed: true },
  });
  expect((await api('POST /observers/all/pause')).body).toEqual({ observer: 'all', paused: true, changed: false });
  expect((await api('GET /observers')).body).toMatchObject({
    observers: [{ paused: { by: matching(/^api token [\da-f]{8}$/), reason: 'their release' } }, {}],
  });
  // The leader looks for pauses once a second: what came before is sent.
  let orders = 0;
  const write = (): Promise<unknown> => database.query('insert into orders values ($1, 20)', [++orders]);
  const paused = await eventually(
    async () => (await write(), (await api('GET /status')).body['paused']),
    (waiting) => Number(waiting) > 0,
  );
  const resumed = await api('POST /observers/all/resume');
  expect(resumed.body).toMatchObject({ observer: 'all', paused: false, changed: true });
  expect(resumed.body['waiting']).toBeGreaterThanOrEqual(Number(paused));
  await receiver.waitFor(orders);
  expect((await api('POST /observers/all/resume')).body).toMatchObject({ changed: false });
  expect(await api('POST /observers/al/pause')).toEqual(problem('not-found', 404));
  expect((await api('POST /observers/al/resume')).body['detail']).toContain('did you mean "all"?');
});

test('events are listed newest first, page after page, by type, key and kind; what is written meanwhile moves no page', async () => {
  await database.query('insert into orders select i, 1 from generate_series(1, 7) i');
  await database.query('update orders set total = 2 where id = 3');
  await processed(8);
  interface Page {
    items: { changeNumber: number; state: string; entityKey: string }[];
    next: string | null;
  }
  const first = (await api<Page>('GET /events?limit=3')).body;
  expect(first.items.map(({ changeNumber }) => changeNumber)).toEqual([8, 7, 6]);
  await database.query('insert into orders values (8, 1)');
  const second = (await api<Page>(`GET /events?limit=3&cursor=${first.next}`)).body;
  const third = (await api<Page>(`GET /events?limit=3&cursor=${second.next}`)).body;
  expect([...second.items, ...third.items].map(({ changeNumber }) => changeNumber)).toEqual([5, 4, 3, 2, 1]);
  expect(third.next).toBeNull();
  const keys = async (query: string): Promise<number[]> =>
    (await api<Page>(`GET /events?${query}`)).body.items.map(({ changeNumber }) => changeNumber);
  expect(await keys('entity_type=Order&entity_key=3')).toEqual([8, 3]);
  expect(await keys('kind=update')).toEqual([8]);
  expect(await keys('entity_type=Order&entity_key=99')).toEqual([]);
  expect(second.items[0]).toMatchObject({ state: 'processed', entityKey: '5' });
});

test('an event is explained by its id and by its number, with all digits, and of a secret in a condition the reference is shown', async () => {
  await database.query("insert into orders values (1, 12345678901234567890123.5, 'x')");
  await receiver.waitFor(1);
  const { body, text, headers } = await processed(1);
  const { id } = body['event'] as { id: string };
  expect(text).toContain('"total":12345678901234567890123.5');
  expect(body['observers']).toMatchObject([
    {
      name: 'all',
      verdict: 'matched',
      condition: { text: 'total > 10', value: 'true' },
      deliveries: [{ state: 'delivered', attempts: [{ status: 204 }] }],
    },
    { name: 'secret', verdict: 'condition not met', condition: { text: "note = '${SECRET}'", value: 'false' } },
  ]);
  const again = await api(`GET /events/${id.toUpperCase()}?current=true`, { headers: { 'if-none-match': String(headers['etag']) } });
  expect([again.status, again.text]).toEqual([304, '']);
  expect(await api(`GET /events/${UNKNOWN}`)).toEqual(problem('not-found', 404));
  expect(await api('GET /events/999')).toEqual(problem('not-found', 404));
});

test('of one entity it is told what came of its changes, and where there is none, why; without an image, and without what came from outside', async () => {
  await database.query("insert into orders values (1, 20, 'x')");
  await receiver.waitFor(1);
  await processed(1);
  const { status, body, text } = await api('GET /why?entity=Order&key=1');
  expect([status, body]).toMatchObject([
    200,
    {
      entity: 'Order',
      key: '1',
      observer: null,
      more: false,
      behind: null,
      absences: [],
      next: null,
      changes: [
        {
          changeNumber: 1,
          recorded: { entityType: 'Order', entityKey: '1', kind: 'insert' },
          state: 'processed',
          version: 1,
          observers: [
            { name: 'all', verdict: 'matched', deliveries: [{ action: 'webhook', state: 'delivered', tries: 1, next: null }] },
            { name: 'secret', verdict: 'condition not met', deliveries: [] },
          ],
        },
      ],
    },
  ]);
  expect(text).not.toContain('"total":20');
  await database.query("insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '2', 'SHRUG')");
  await until(async () => (await api('GET /status')).body['quarantined'] === 1);
  expect((await api('GET /why?entity=Order&key=2&limit=1&observer=all')).body).toMatchObject({
    observer: 'all',
    changes: [{ state: 'quarantined', why: containing('no observer was asked'), observers: [], next: matching(/^dlq show /) }],
  });
  expect((await api('GET /why?entity=order&key=1')).body).toMatchObject({
    changes: [],
    absences: [{ reason: 'unknown entity', certain: true, why: containing('did you mean "Order"?'), next: 'why --entity Order --key 1' }],
  });
  const unknown = await api('GET /why?entity=Order&key=1&observer=al');
  expect([unknown, unknown.body['detail']]).toEqual([problem('not-found', 404), 'there is no observer "al"; did you mean "all"?']);
  for (const wrong of [
    'entity=Order',
    'key=1',
    'entity=Order&key=',
    'entity=Order&key=1&limit=0',
    'entity=Order&key=1&limit=101',
    'entity=Order&key=1&kind=insert',
  ])
    expect([wrong, await api(`GET /why?${wrong}`)]).toEqual([wrong, problem('invalid-request', 400)]);
});

test('a replay is looked at first; the token sends exactly that, once, with the delivery ids of the first time', async () => {
  await database.query('insert into orders values (1, 20), (2, 20)');
  await receiver.waitFor(2);
  await processed(2);
  const before = await written();
  const look = await api('POST /events/1/replay', { json: { observers: ['all'] } });
  expect(look).toMatchObject({
    status: 200,
    body: { dryRun: true, count: 1, sample: [{ changeNumber: 1, observer: 'all', action: 'webhook' }] },
  });
  expect(await written()).toEqual(before);
  const { token } = look.body as { token: string };
  expect(await api('POST /events/2/replay', { json: { token } })).toEqual(problem('invalid-token', 400));
  expect(await api('POST /events/1/replay', { json: { token } })).toMatchObject({
    status: 202,
    body: { dryRun: false, queued: [{ changeNumber: 1, observer: 'all', action: 'webhook' }], alreadyUnderWay: 0 },
  });
  const [first, , again] = await receiver.waitFor(3);
  expect(receiver.requests.filter(({ headers }) => headers['webhook-id'] === again!.headers['webhook-id'])).toHaveLength(2);
  expect(first).toBeDefined();
  expect(await api('POST /events/1/replay', { json: { token } })).toEqual(problem('conflict', 409));
  expect(await api('POST /events/1/replay', { json: { token: `${token}x` } })).toEqual(problem('invalid-token', 400));
  expect(await api('POST /events/1/replay', { json: { observers: ['nobody'] } })).toEqual(problem('not-found', 404));
  expect(await api(`POST /events/${UNKNOWN}/replay`, { json: { observers: ['all'] } })).toEqual(problem('not-found', 404));
  expect((await api('POST /events/2/replay', { json: { observers: ['all'], dry_run: false } })).body).toMatchObject({
    queued: [{ changeNumber: 2 }],
  });
  await receiver.waitFor(4);
});

test('the dead letters are listed page after page, also where many died in one moment, and counted, by each filter', async () => {
  await deadLetters(database, 5, { diedAt: "'2026-01-01T00:00:00.123456Z'" });
  await deadLetters(database, 2, { observer: 'b', error: 'timeout', endpoint: 'other', diedAt: "'2026-02-01T00:00Z'" });
  interface Page {
    items: { id: string }[];
    next: string | null;
  }
  const seen: string[] = [];
  for (let query = 'limit=2'; ;) {
    const { items, next } = (await api<Page>(`GET /dlq?${query}`)).body;
    seen.push(...items.map(({ id }) => id));
    if (next === null) break;
    query = `limit=2&cursor=${next}`;
  }
  expect([seen.length, new Set(seen).size]).toEqual([7, 7]);
  for (const [filter, count] of [
    ['observer=b', 2],
    ['action=webhook', 7],
    ['entity_type=Order&entity_key=77', 0],
    ['entity_key=5', 1],
    ['error=timeout', 2],
    ['endpoint=other', 2],
    ['after=2026-01-15T00:00:00Z', 2],
    ['before=2026-01-15T00:00:00%2B02:00', 5],
  ] as const) {
    expect([
      filter,
      (await api<Page>(`GET /dlq?${filter}`)).body.items.length,
      (await api(`GET /dlq/stats?${filter}`)).body['count'],
    ]).toEqual([filter, count, count]);
  }
  for (const [filter, message] of [
    ['observer=al', 'there is no observer "al"; did you mean "all"?'],
    ['action=webhok', 'there is no action "webhok"; did you mean "webhook"?'],
    ['entity_type=Oder', 'there is no type of entity "Oder"; did you mean "Order"?'],
    ['endpoint=hok', 'there is no endpoint "hok"; did you mean "hook"?'],
    ['error=timeuot', expect.stringContaining('there is no such kind of error; did you mean "timeout"?')],
  ] as const) {
    for (const path of ['/dlq', '/dlq/stats']) {
      const answer = await api(`GET ${path}?${filter}`);
      expect(answer).toEqual(problem('invalid-request', 400));
      expect(answer.body['violations']).toEqual([{ at: `query.${filter.split('=')[0]}`, message }]);
    }
  }
  expect(await api('GET /events?entity_type=Oder')).toEqual(problem('invalid-request', 400));
  expect(await api('GET /search?q=x&entity_type=Oder')).toEqual(problem('invalid-request', 400));
  expect(await api('GET /lanes?observer=nosuch')).toEqual(problem('invalid-request', 400));
  expect(await api('POST /lanes/resume', { json: { observer: 'nosuch' } })).toEqual(problem('invalid-request', 400));
  expect((await api('GET /dlq/stats?by=error')).body['groups']).toMatchObject([
    { observer: null, error: 'http_status', count: 5 },
    { error: 'timeout', count: 2 },
  ]);
  expect(await api('GET /dlq?cursor=abc')).toEqual(problem('invalid-request', 400));
  expect((await api(`GET /dlq/${seen[0]}`)).body).toMatchObject({ id: seen[0], observer: 'b', resolvedAt: null, history: [] });
  expect(await api(`GET /dlq/${UNKNOWN}`)).toEqual(problem('not-found', 404));
});

test('the row of a dead letter has the digits that PostgreSQL has', async () => {
  receiver.answer = (_request, response) => void response.writeHead(422).end();
  await database.query("insert into orders values (1, 702.00, '12345678901234567890.10')");
  const { body } = await eventually(
    () => api<{ items: { id: string }[] }>('GET /dlq'),
    (answer) => answer.body.items.length === 1,
  );
  const { text, headers } = await api(`GET /dlq/${body.items[0]!.id}`);
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  expect(text).toContain('"data":{"id":1,"total":702.00,"note":"12345678901234567890.10"}');
});

test('twenty people who retry one item at once fire it once, and all are told the outcome', async () => {
  const [id] = await deadLetters(database, 1);
  // Long enough for all twenty to have asked, on a busy machine too.
  receiver.answer = (_request, response) => void setTimeout(() => response.writeHead(204).end(), 3_000);
  const answers = await Promise.all(Array.from({ length: 20 }, () => api(`POST /dlq/${id}/retry`)));
  expect(receiver.requests).toHaveLength(1);
  expect(answers.map(({ status, body }) => [status, body['state']])).toEqual(Array(20).fill([200, 'delivered']));
  expect(answers.filter(({ body }) => body['request'] === 'queued')).toHaveLength(1);
  expect((await api(`POST /dlq/${id}/retry`)).body).toMatchObject({ request: 'resolved', state: 'resolved before' });
  expect(receiver.requests).toHaveLength(1);
});

test('a retry that fails again is told with its reason; one that does not end in time is told to be under way', async () => {
  const [id] = await deadLetters(database, 1);
  receiver.answer = (_request, response) => void response.writeHead(410).end();
  expect(await api(`POST /dlq/${id}/retry`, { json: { config_version: 'current' } })).toMatchObject({
    status: 200,
    body: { request: 'queued', state: 'failed again', result: { delivered: false, message: containing('410') } },
  });
  const [other] = await deadLetters(database, 1, { observer: 'paused' });
  receiver.answer = () => undefined;
  expect(await api(`POST /dlq/${id}/retry`, { json: { wait: 0.3 } })).toMatchObject({
    status: 202,
    body: { state: 'under way', result: null },
  });
  expect(await api(`DELETE /dlq/${id}`)).toEqual(problem('conflict', 409));
  expect(await api(`DELETE /dlq/${other}`, { json: { reason: 'a test order' } })).toMatchObject({
    status: 200,
    body: { id: other, result: 'discarded' },
  });
  expect((await api(`DELETE /dlq/${other}`)).body).toMatchObject({ result: 'already resolved' });
  expect((await api(`GET /dlq/${other}`)).body).toMatchObject({
    resolution: 'discarded',
    history: [{ what: 'discarded', detail: 'a test order', who: matching(/^api token [\da-f]{8}$/) }],
  });
  expect(await api(`DELETE /dlq/${UNKNOWN}`)).toEqual(problem('not-found', 404));
  expect(await api(`POST /dlq/${UNKNOWN}/retry`)).toEqual(problem('not-found', 404));
});

test('while no service leads, a retry is accepted and said to wait', async () => {
  const [id] = await deadLetters(database, 1);
  await database.query("update observers.lease set holder = 'other', epoch = epoch + 1, expires_at = '-infinity'");
  const { status, body } = await api(`POST /dlq/${id}/retry`, { json: { wait: 0 } });
  expect([status, body['state']]).toEqual([202, matching(/^(waits for a service that leads|under way)$/)]);
});

test('what was asked for and not tried is taken back, by ids and by a token, and what was discarded comes back', async () => {
  // Of another stream: nobody here tries them.
  const ids = await deadLetters(database, 5);
  await database.query("update observers.dead_letter set stream = 'other'");
  await api(`POST /dlq/${ids[0]}/retry`, { json: { wait: 0 } });
  expect((await api(`DELETE /dlq/${ids[0]}`)).status).toBe(409);
  expect(await api('POST /dlq/cancel', { json: { ids: [ids[0], ids[1], UNKNOWN], reason: 'too early' } })).toMatchObject({
    status: 200,
    body: { takenBack: 1, running: 0, tried: 0, left: [ids[1]], unknown: [UNKNOWN] },
  });
  const { token } = (await api('POST /dlq/retry-all', { json: { dry_run: true } })).body as { token: string };
  expect((await api('POST /dlq/retry-all', { json: { token } })).body).toMatchObject({ asked: 5 });
  expect((await api('POST /dlq/cancel', { json: { token } })).body).toMatchObject({ takenBack: 5, running: 0 });
  expect(await api('POST /dlq/retry-all', { json: { token } })).toEqual(problem('invalid-token', 400));
  expect(await api('POST /dlq/cancel', { json: { token: 'none' } })).toEqual(problem('invalid-token', 400));
  expect(await database.query('select 1 from observers.pending_delivery')).toEqual([]);
  expect((await api(`DELETE /dlq/${ids[0]}`)).status).toBe(200);
  expect(await api('POST /dlq/restore', { json: { ids: [ids[0], ids[1]] } })).toMatchObject({
    status: 200,
    body: { restored: 1, gone: 0, left: [ids[1]] },
  });
  expect((await api(`GET /dlq/${ids[0]}`)).body).toMatchObject({ resolution: null });
});

test('many are retried by the token of a dry run that changed nothing: exactly these, each once', async () => {
  const ids = await deadLetters(database, 250);
  await deadLetters(database, 3, { observer: 'b' });
  const before = await written();
  const look = (await api('POST /dlq/retry-all', { json: { dry_run: true, observer: 'all' } })).body as {
    count: number;
    sample: { id: string }[];
    token: string;
  };
  expect(await written()).toEqual(before);
  expect([look.count, look.sample.map(({ id }) => id)]).toEqual([250, ids.slice(0, 10)]);
  await deadLetters(database, 5);
  await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'delivered' where id = $1", [ids[7]]);
  expect(await api('POST /dlq/retry-all', { json: { token: look.token } })).toMatchObject({
    status: 202,
    body: { total: 249, asked: 249, alreadyUnderWay: 0, left: 1, remaining: 0 },
  });
  await receiver.waitFor(249);
  expect(await api('POST /dlq/retry-all', { json: { token: look.token } })).toMatchObject({ status: 202, body: { asked: 0 } });
  expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(249);
  expect(await api('POST /dlq/retry-all', { json: { token: 'retry.a.b' } })).toEqual(problem('invalid-token', 400));
  for (const body of [{}, { dry_run: false }, { token: look.token, observer: 'all' }])
    expect(await api('POST /dlq/retry-all', { json: body })).toEqual(problem('invalid-request', 400));
  expect((await api('POST /dlq/retry-all', { json: { dry_run: true, observer: 'all', entity_key: '0' } })).body).toEqual({
    count: 0,
    sample: [],
    token: null,
    held: [],
  });
});

test('a breaker is reset where it lives, whichever instance is asked', async () => {
  receiver.answer = (_request, response) => void response.writeHead(500).end();
  await database.query('insert into orders select i, 20 from generate_series(1, 6) i');
  const state = (answer: ApiAnswer): unknown =>
    (answer.body['breakers'] as { name: string; state: string }[]).find(({ name }) => name === 'hook')?.state;
  await until(async () => state(await api('GET /circuit-breakers')) === 'open');
  const other = await start();
  try {
    expect(other.streams.main.state).toBe('standing by');
    const standby = apiOf(other);
    const known = await eventually(
      () => standby('GET /circuit-breakers'),
      (answer) => state(answer) === 'open',
    );
    expect(known).toMatchObject({ body: { source: 'last heartbeat of the leader' } });
    expect((await standby('POST /circuit-breakers/hook/reset')).body).toEqual({ name: 'hook', state: 'closed', changed: true });
    expect(await standby('POST /circuit-breakers/nowhere/reset')).toEqual(problem('not-found', 404));
  } finally {
    await other.stop();
  }
  expect(state(await api('GET /circuit-breakers'))).toBe('closed');
  expect((await api('POST /circuit-breakers/hook/reset', { json: { reason: 'again' } })).body).toMatchObject({ changed: false });
  expect(await api('POST /circuit-breakers/nowhere/reset')).toEqual(problem('not-found', 404));
});

test('a service that is stopped while a retry is waited for stops all the same', async () => {
  const [id] = await deadLetters(database, 1);
  await untilLeading(service.streams.main);
  receiver.answer = () => undefined;
  const waiting = api(`POST /dlq/${id}/retry`).catch((error: unknown) => error);
  await receiver.waitFor(1);
  const begun = performance.now();
  await service.stop();
  expect(performance.now() - begun).toBeLessThan(15_000);
  await waiting;
  service = await start();
});

test('a reload answers with what has changed; a wrong file with its places, and what runs goes on', async () => {
  service.rewrite(`${FILE(receiver.url)}alert: {}\n`);
  const wrong = await api('POST /reload');
  expect(wrong).toEqual(problem('invalid-configuration', 422));
  expect(wrong.body['violations']).toEqual([{ at: matching(/observers.yaml:\d+:1$/), message: containing('unknown key "alert"') }]);
  service.rewrite(FILE(receiver.url).replace('name: all, entity: Order, when: "total > 10"', 'name: every, entity: Order'));
  expect(await api('POST /reload')).toMatchObject({
    status: 200,
    body: { effective: 'now', added: ['every'], removed: ['all'], changed: [], notes: [] },
  });
  expect(((await api('GET /observers')).body['observers'] as { name: string }[]).map(({ name }) => name)).toEqual(['every', 'secret']);
  await database.query('insert into orders values (1, 1)');
  await receiver.waitFor(1);
});

test('events are found by words; every word must be somewhere, and what cannot be a question is refused', async () => {
  await database.query("insert into orders values (1, 20, 'red shoes'), (2, 20, 'blue shoes')");
  await receiver.waitFor(2);
  expect(await api('GET /search?q=shoes%20RED')).toMatchObject({
    status: 200,
    body: { ended: 'end', looked: 2, found: [{ entityType: 'Order', entityKey: '1', foundIn: ['data'], excerpt: containing('red') }] },
  });
  expect((await api('GET /search?q=shoes&limit=1')).body).toMatchObject({ ended: 'limit', found: [{ entityKey: '2' }] });
  expect((await api('GET /search?q=shoes&entity_key=3')).body).toMatchObject({ ended: 'end', found: [] });
  for (const query of ['', '?q=', '?q=%20', '?q=a&limit=0', '?q=a&since=yesterday'])
    expect(await api(`GET /search${query}`)).toEqual(problem('invalid-request', 400));
});
