import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { collectorOf } from '../../src/config/settings/telemetry';
import type { Settings } from '../../src/config/settings';
import { deliveryId } from '../../src/event/delivery';
import type { ObserverDefinition, WebhookActionDefinition } from '../../src/event/definitions';
import { startTracing } from '../../src/tracing/start-tracing';
import { startCollector, type CollectedSpan, type Collector } from '../support/collector';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { failing, startReceiver, status, type Receiver } from '../support/receiver';
import { defaultSettings, endpointOf, observerOf, startStream, type TestStream } from '../support/stream';
import { containing, matching } from '../support/texts';
import { atLeast, until, untilRows } from '../support/until';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const SAMPLED = `00-${TRACE}-${PARENT}-01`;

let database: TestDatabase;
let receiver: Receiver;
let collector: Collector;
let log: Record<string, unknown>[];
let stop: (() => Promise<void>) | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  collector = await startCollector();
  log = [];
  await database.query('create table public.orders (id bigint primary key, note text)');
  await database.capture('public.orders');
});

afterEach(async () => {
  await stop?.();
  stop = null;
  await receiver.close();
  await collector.receiver.close();
  await database.drop();
});

const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) });

/** The stream as the service runs it; ending it sends the spans that are left, as a stop does. */
const start = async (observers: readonly ObserverDefinition[], changed: Partial<Settings> = {}): Promise<TestStream> => {
  const settings = defaultSettings({ otlpEndpoint: collector.receiver.url, ...changed });
  const tracing = startTracing(collectorOf(settings)!, settings, logger);
  const stream = await startStream(database.url, observers, { settings, tracing });
  stop = async () => {
    stop = null;
    await stream.stop();
    await tracing.stop();
  };
  return stream;
};
/** Everything that was recorded, once the service has stopped. */
const spansAfterStop = async (): Promise<readonly CollectedSpan[]> => {
  await stop?.();
  return collector.spans;
};

/** Writes an order in a transaction that belongs to a trace, as an application does. */
const write = async (id: number, traceparent: string | null, tracestate = ''): Promise<void> => {
  await database.query('begin');
  if (traceparent !== null)
    await database.query("select set_config('observers.traceparent', $1, true), set_config('observers.tracestate', $2, true)", [
      traceparent,
      tracestate,
    ]);
  await database.query('insert into orders values ($1, $2)', [id, 'CANARY-note']);
  await database.query('commit');
};
const hook = (changed: Partial<ObserverDefinition> = {}): ObserverDefinition =>
  observerOf('bill', endpointOf(`${receiver.url}/hook`, { name: 'billing' }), { entities: ['Order'], ...changed });
const eventId = async (): Promise<string> =>
  (await database.query<{ id: string }>('select id from core.tb_entity_change_log order by pk_entity_change_log limit 1'))[0]!.id;
const finished = (count: number): Promise<unknown> =>
  untilRows(database, "select error from observers.attempt where outcome <> 'retry'", atLeast(count));

test('the span of a delivery is a child of the span of the application that wrote, and the receiver is told to go on from it', async () => {
  await start([hook()]);
  await write(1, SAMPLED, 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE');
  const [request] = await receiver.waitFor(1);
  await finished(1);
  const [span, ...others] = await spansAfterStop();
  expect(others).toEqual([]);
  const event = await eventId();
  expect(span).toEqual({
    traceId: TRACE,
    spanId: matching(/^[\da-f]{16}$/),
    parentSpanId: PARENT,
    traceState: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    name: 'deliver bill/hook',
    kind: 3,
    attributes: {
      'observers.observer': 'bill',
      'observers.action': 'hook',
      'observers.action_type': 'webhook',
      'observers.endpoint': 'billing',
      'observers.attempt': 1,
      'observers.delivery_id': deliveryId(event, 'bill', 'hook'),
      'observers.event_id': event,
      'observers.event_kind': 'insert',
      'observers.entity_type': 'Order',
      'observers.outcome': 'succeeded',
      'http.request.method': 'POST',
      'http.response.status_code': 204,
      'server.address': '127.0.0.1',
      'server.port': receiver.port,
    },
    links: [],
    status: { code: 0, message: '' },
    resource: expect.objectContaining({
      'service.name': 'fraiseql-observers',
      'observers.stream': 'main',
      'telemetry.sdk.language': 'nodejs',
    }) as object,
  });
  expect(span!.spanId).not.toBe(PARENT);
  expect(request!.headers['traceparent']).toBe(`00-${TRACE}-${span!.spanId}-01`);
  expect(request!.headers['tracestate']).toBe('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE');
  expect(log.map(({ msg }) => msg)).toEqual(['traces are made']);
});

test('an event without a trace makes one whose id is its own, the same for every delivery of it', async () => {
  await start([hook(), { ...hook(), name: 'tell' }]);
  await write(1, null);
  const requests = await receiver.waitFor(2);
  await finished(2);
  const spans = await spansAfterStop();
  const trace = (await eventId()).replaceAll('-', '');
  expect(spans.map(({ traceId, parentSpanId, name }) => ({ traceId, parentSpanId, name }))).toEqual([
    { traceId: trace, parentSpanId: '', name: 'deliver bill/hook' },
    { traceId: trace, parentSpanId: '', name: 'deliver tell/hook' },
  ]);
  expect(requests.map(({ headers }) => headers['traceparent']).sort()).toEqual(
    spans.map(({ spanId }) => `00-${trace}-${spanId}-01`).sort(),
  );
});

test('each try is a span of its own below the same parent, linked to the one before, with the kind of its error and nothing of the row', async () => {
  receiver.answer = failing(2, 503);
  await start([hook()]);
  await write(1, SAMPLED);
  const requests = await receiver.waitFor(3);
  await finished(1);
  const spans = await spansAfterStop();
  const told = spans.map(({ attributes: a }) => [
    a['observers.attempt'],
    a['observers.outcome'],
    a['http.response.status_code'],
    a['error.type'],
  ]);
  expect(told).toEqual([
    [1, 'failed', 503, '503'],
    [2, 'failed', 503, '503'],
    [3, 'succeeded', 204, undefined],
  ]);
  expect(spans.map((span) => span.status)).toEqual([
    { code: 2, message: 'http_status' },
    { code: 2, message: 'http_status' },
    { code: 0, message: '' },
  ]);
  expect(new Set(spans.map(({ traceId, parentSpanId }) => `${traceId} ${parentSpanId}`))).toEqual(new Set([`${TRACE} ${PARENT}`]));
  expect(spans.map(({ links }) => links.map(({ spanId }) => spanId))).toEqual([[], [spans[0]!.spanId], [spans[1]!.spanId]]);
  expect(requests.map(({ headers }) => headers['traceparent'])).toEqual(spans.map(({ spanId }) => `00-${TRACE}-${spanId}-01`));
  expect(collector.receiver.requests.map(({ body }) => body).join('')).not.toContain('CANARY');
});

test('a receiver that is not there is an error by its kind', async () => {
  const url = receiver.url;
  await receiver.close();
  await start([observerOf('bill', endpointOf(`${url}/hook`), { retry: { ...hook().retry, maxAttempts: 1 } })]);
  await write(1, SAMPLED);
  await finished(1);
  const [span] = await spansAfterStop();
  expect(span).toMatchObject({ status: { code: 2, message: 'connection' }, attributes: { 'error.type': 'connection' } });
  expect(span!.attributes).not.toHaveProperty('http.response.status_code');
  receiver = await startReceiver();
});

test('a trace that the application does not record is not recorded here, and is passed on as unrecorded', async () => {
  await start([hook()]);
  await write(1, `00-${TRACE}-${PARENT}-00`);
  await write(2, SAMPLED.replace(TRACE, 'a'.repeat(32)));
  const requests = await receiver.waitFor(2);
  await finished(2);
  const spans = await spansAfterStop();
  expect(spans.map(({ traceId }) => traceId)).toEqual(['a'.repeat(32)]);
  expect(requests.map(({ headers }) => headers['traceparent']).sort()[0]).toMatch(new RegExp(`^00-${TRACE}-(?!${PARENT})[\\da-f]{16}-00$`));
});

test.each([
  ['always_off', null, 0],
  ['traceidratio', 0, 0],
  ['traceidratio', 1, 4],
  ['parentbased_always_off', null, 2],
  ['parentbased_traceidratio', 0, 2],
  ['always_on', null, 4],
] as const)('with the sampler %s (%s) of two traces and two events without one %d spans are recorded', async (sampler, ratio, count) => {
  await start([hook()], { otelTracesSampler: sampler, otelTracesSamplerArg: ratio });
  for (const id of [1, 2]) await write(id, SAMPLED);
  for (const id of [3, 4]) await write(id, null);
  const requests = await receiver.waitFor(4);
  await finished(4);
  expect(await spansAfterStop()).toHaveLength(count);
  expect(requests.filter(({ headers }) => headers['traceparent']?.endsWith('-01'))).toHaveLength(count);
  expect(requests.every(({ headers }) => /^00-[\da-f]{32}-[\da-f]{16}-0[01]$/.test(headers['traceparent'] ?? ''))).toBe(true);
});

test.each([
  'nonsense',
  `00-${'0'.repeat(32)}-${PARENT}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `ff-${TRACE}-${PARENT}-01`,
  `00-${TRACE.toUpperCase()}-${PARENT}-01`,
  `${SAMPLED}-more`,
  `${SAMPLED}\r\nx-injected: yes`,
  'x'.repeat(10_000).concat('-'),
])('what is no traceparent (%j) is as if there were none', async (traceparent) => {
  await start([hook()]);
  await write(1, traceparent, 'a=1');
  const [request] = await receiver.waitFor(1);
  await finished(1);
  const [span] = await spansAfterStop();
  expect(span).toMatchObject({ traceId: (await eventId()).replaceAll('-', ''), parentSpanId: '' });
  expect(request!.headers).not.toHaveProperty('x-injected');
  expect(request!.headers).not.toHaveProperty('tracestate');
});

test('a traceparent of a version to come is understood, and passed on in the version that is known', async () => {
  await start([hook()]);
  await write(1, `cc-${TRACE}-${PARENT}-ff-what-the-future-brings`, 'bad\nstate');
  const [request] = await receiver.waitFor(1);
  await finished(1);
  const [span] = await spansAfterStop();
  expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, traceState: '' });
  expect(request!.headers['traceparent']).toBe(`00-${TRACE}-${span!.spanId}-01`);
});

test('the deliveries of a batch are spans below their applications, and the request is one that is linked to them', async () => {
  const endpoint = endpointOf(`${receiver.url}/hook`);
  const action: WebhookActionDefinition = {
    type: 'webhook',
    name: 'tell',
    endpoint,
    method: 'POST',
    headers: {},
    body: null,
    batch: { max: 3, within: 10_000 },
  };
  await start([observerOf('all', endpoint, { actions: [action] })]);
  for (const [id, letter] of ['a', 'b', 'c'].entries()) await write(id, `00-${letter.repeat(32)}-${PARENT}-01`);
  const [request] = await receiver.waitFor(1);
  await finished(3);
  const spans = await spansAfterStop();
  const deliveries = spans.filter(({ name }) => name === 'deliver all/tell');
  const requests = spans.filter(({ name }) => name === 'send all/tell');
  expect(deliveries.map(({ kind, parentSpanId, traceId }) => `${kind} ${parentSpanId} ${traceId.charAt(0)}`).sort()).toEqual(
    ['a', 'b', 'c'].map((letter) => `4 ${PARENT} ${letter}`),
  );
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({
    kind: 3,
    parentSpanId: '',
    attributes: { 'messaging.batch.message_count': 3, 'http.response.status_code': 204 },
  });
  expect(requests[0]!.links.map(({ spanId }) => spanId).sort()).toEqual(deliveries.map(({ spanId }) => spanId).sort());
  expect(request!.headers['traceparent']).toBe(`00-${requests[0]!.traceId}-${requests[0]!.spanId}-01`);
});

test('what a database action writes goes on with the trace', async () => {
  await database.query('create table public.audit (id bigint primary key)');
  await database.capture('public.audit', { entity: 'Audit' });
  await database.query(
    `create function public.note(e jsonb) returns void language sql as 'insert into public.audit values ((e #>> ''{data,id}'')::bigint)'`,
  );
  const action = { type: 'database', name: 'note', function: 'public.note', timeout: 5_000 } as const;
  await start([{ ...hook({ entities: ['Audit'] }) }, { ...hook({ entities: ['Order'], actions: [action] }), name: 'note' }]);
  await write(7, SAMPLED, 'a=1');
  const [request] = await receiver.waitFor(1);
  await finished(2);
  const spans = await spansAfterStop();
  const [call, webhook] = [spans.find(({ name }) => name === 'deliver note/note'), spans.find(({ name }) => name === 'deliver bill/hook')];
  expect(call).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: 3, attributes: { 'db.system.name': 'postgresql' } });
  expect(webhook).toMatchObject({ traceId: TRACE, parentSpanId: call!.spanId, traceState: 'a=1' });
  expect(request!.headers['traceparent']).toContain(webhook!.spanId);
});

test('JSON is sent where it is asked for, with the headers for the collector and what is said of the service', async () => {
  await start([hook()], {
    otlpProtocol: 'http/json',
    otlpHeaders: { 'x-tenant': 'everybody', authorization: 'Bearer CANARY-collector' },
    otlpTracesHeaders: { 'x-tenant': 'shop' },
    otelServiceName: 'shop-observers',
    otelResourceAttributes: { 'deployment.environment.name': 'staging', 'service.name': 'weaker' },
  });
  await write(1, SAMPLED);
  await receiver.waitFor(1);
  await finished(1);
  const [span] = await spansAfterStop();
  expect(span).toMatchObject({
    traceId: TRACE,
    parentSpanId: PARENT,
    kind: 3,
    attributes: { 'observers.attempt': 1, 'observers.outcome': 'succeeded' },
  });
  expect(span!.resource).toMatchObject({ 'service.name': 'shop-observers', 'deployment.environment.name': 'staging' });
  const [{ headers }] = collector.receiver.requests as [(typeof collector.receiver.requests)[0]];
  expect(headers).toMatchObject({ 'x-tenant': 'shop', authorization: 'Bearer CANARY-collector', 'content-type': 'application/json' });
  expect(JSON.stringify(log)).not.toContain('CANARY');
});

describe('with a collector that does not do its work', () => {
  const warnings = (): unknown[] => log.filter(({ level }) => level === 40).map(({ msg }) => msg);
  const SAID = 'the collector does not take traces; deliveries go on, and spans are lost';

  test('refusals are said once, and that it works again too; deliveries go on', async () => {
    let refuses = true;
    collector = await replaced(collector, (_request, response) => void response.writeHead(refuses ? 401 : 200).end());
    await start([hook()]);
    // 512 spans are sent at once, whatever the clock says.
    await database.query('insert into orders select i from generate_series(1, 1100) i');
    await receiver.waitFor(1_100);
    await collector.receiver.waitFor(2);
    await until(() => warnings().length > 0);
    refuses = false;
    await database.query('insert into orders select i from generate_series(2001, 3100) i');
    await until(() => log.some(({ msg }) => msg === 'the collector takes traces again'));
    await finished(2_200);
    await stop?.();
    expect(warnings()).toEqual([SAID]);
    expect(log.find(({ msg }) => msg === SAID)).toMatchObject({
      collector: `127.0.0.1:${collector.receiver.port}`,
      err: containing('401'),
    });
    expect(log.find(({ msg }) => msg === 'the collector takes traces again')!['lost']).toBeGreaterThanOrEqual(512);
  });

  test('one that is not there, or never answers, does not disturb deliveries, and delays a stop by two seconds at most', async () => {
    const sockets = new Set<Socket>();
    const silent = await new Promise<Server>((resolve) => {
      const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined).resume()));
      server.listen(0, '127.0.0.1', () => resolve(server));
    });
    const { port } = silent.address() as { port: number };
    await start([hook()], { otlpEndpoint: `http://127.0.0.1:${port}` });
    await database.query('insert into orders select i from generate_series(1, 3000) i');
    await receiver.waitFor(3_000);
    await finished(3_000);
    const began = performance.now();
    await stop?.();
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(sockets.size).toBeGreaterThan(0);
    // Nothing goes on behind the stop's back: the exporter gives up by itself, or the test's process would not end.
    await until(() => [...sockets].filter(({ closed }) => !closed).length === 0, 5_000);
    await new Promise((resolve) => silent.close(resolve));
    expect(warnings()).toEqual([SAID]);
  });
});

const replaced = async (old: Collector, answer: Parameters<typeof startCollector>[0]): Promise<Collector> => {
  await old.receiver.close();
  return startCollector(answer);
};

describe('without a collector', () => {
  test('what the application has stored is passed on as it is', async () => {
    const stream = await startStream(database.url, [hook()]);
    stop = () => stream.stop();
    await write(1, SAMPLED, 'a=1');
    await write(2, 'nonsense', 'a=1');
    const requests = await receiver.waitFor(2);
    const headersOf = (id: number): Readonly<Record<string, string>> =>
      requests.find(({ body }) => body.includes(`"key":"${id}"`))!.headers;
    expect(headersOf(1)).toMatchObject({ traceparent: SAMPLED, tracestate: 'a=1' });
    expect(headersOf(2)).not.toHaveProperty('traceparent');
    expect(headersOf(2)).not.toHaveProperty('tracestate');
  });

  test.each([
    [{}, null],
    [{ otlpEndpoint: 'http://c:4318' }, 'http://c:4318/v1/traces'],
    [{ otlpEndpoint: 'http://c:4318/otlp/' }, 'http://c:4318/otlp/v1/traces'],
    [{ otlpEndpoint: 'http://c:4318', otlpTracesEndpoint: 'http://t/exactly' }, 'http://t/exactly'],
    [{ otlpEndpoint: 'http://c:4318', otelSdkDisabled: true }, null],
    [{ otlpEndpoint: 'http://c:4318', otelTracesExporter: 'none' as const }, null],
  ])('%j sends traces to %s', (changed, url) => {
    expect(collectorOf(defaultSettings(changed))).toBe(url);
  });

  test('gRPC is refused with what to do', () => {
    const settings = defaultSettings({ otlpEndpoint: 'http://c:4317', otlpProtocol: 'grpc' });
    expect(() => startTracing('http://c:4317/v1/traces', settings, logger)).toThrow('traces cannot be sent by gRPC');
  });
});

test('docs/traces.md lists every attribute of a span', async () => {
  receiver.answer = status(400);
  await start([hook()]);
  await write(1, SAMPLED);
  await finished(1);
  const [span] = await spansAfterStop();
  const page = readFileSync(join(__dirname, '../../docs/traces.md'), 'utf8');
  for (const name of Object.keys(span!.attributes)) expect(page).toContain(`\`${name}\``);
});
