import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deliveryId } from '../../src/event/delivery';
import type { WebhookActionDefinition } from '../../src/event/definitions';
import { failing, startReceiver, status } from '../support/receiver';
import { endpointOf, observerOf } from '../support/stream';
import { matching } from '../support/texts';
import { PARENT, SAMPLED, TRACE, Traced } from '../support/traced';

const traced = new Traced();
const { given } = traced;

test('the span of a delivery is a child of the span of the application that wrote, and the receiver is told to go on from it', async () => {
  await traced.start([traced.hook()]);
  await traced.write(1, SAMPLED, 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE');
  const [request] = await given.receiver.waitFor(1);
  await traced.finished(1);
  const [span, ...others] = await traced.spansAfterStop();
  expect(others).toEqual([]);
  const event = await traced.eventId();
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
      'server.port': given.receiver.port,
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
  expect(traced.log.map(({ msg }) => msg)).toEqual(['traces are made']);
});

test('an event without a trace makes one whose id is its own, the same for every delivery of it', async () => {
  await traced.start([traced.hook(), { ...traced.hook(), name: 'tell' }]);
  await traced.write(1, null);
  const requests = await given.receiver.waitFor(2);
  await traced.finished(2);
  const spans = await traced.spansAfterStop();
  const trace = (await traced.eventId()).replaceAll('-', '');
  expect(spans.map(({ traceId, parentSpanId, name }) => ({ traceId, parentSpanId, name }))).toEqual([
    { traceId: trace, parentSpanId: '', name: 'deliver bill/hook' },
    { traceId: trace, parentSpanId: '', name: 'deliver tell/hook' },
  ]);
  expect(requests.map(({ headers }) => headers['traceparent']).sort()).toEqual(
    spans.map(({ spanId }) => `00-${trace}-${spanId}-01`).sort(),
  );
});

test('each try is a span of its own below the same parent, linked to the one before, with the kind of its error and nothing of the row', async () => {
  given.receiver.answer = failing(2, 503);
  await traced.start([traced.hook()]);
  await traced.write(1, SAMPLED);
  const requests = await given.receiver.waitFor(3);
  await traced.finished(1);
  const spans = await traced.spansAfterStop();
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
  expect(traced.collector.receiver.requests.map(({ body }) => body).join('')).not.toContain('CANARY');
});

test('a receiver that is not there is an error by its kind', async () => {
  const gone = await startReceiver();
  await gone.close();
  await traced.start([observerOf('bill', endpointOf(`${gone.url}/hook`), { retry: { ...traced.hook().retry, maxAttempts: 1 } })]);
  await traced.write(1, SAMPLED);
  await traced.finished(1);
  const [span] = await traced.spansAfterStop();
  expect(span).toMatchObject({ status: { code: 2, message: 'connection' }, attributes: { 'error.type': 'connection' } });
  expect(span!.attributes).not.toHaveProperty('http.response.status_code');
});

test('a trace that the application does not record is not recorded here, and is passed on as unrecorded', async () => {
  await traced.start([traced.hook()]);
  await traced.write(1, `00-${TRACE}-${PARENT}-00`);
  await traced.write(2, SAMPLED.replace(TRACE, 'a'.repeat(32)));
  const requests = await given.receiver.waitFor(2);
  await traced.finished(2);
  const spans = await traced.spansAfterStop();
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
  await traced.start([traced.hook()], { otelTracesSampler: sampler, otelTracesSamplerArg: ratio });
  for (const id of [1, 2]) await traced.write(id, SAMPLED);
  for (const id of [3, 4]) await traced.write(id, null);
  const requests = await given.receiver.waitFor(4);
  await traced.finished(4);
  expect(await traced.spansAfterStop()).toHaveLength(count);
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
  await traced.start([traced.hook()]);
  await traced.write(1, traceparent, 'a=1');
  const [request] = await given.receiver.waitFor(1);
  await traced.finished(1);
  const [span] = await traced.spansAfterStop();
  expect(span).toMatchObject({ traceId: (await traced.eventId()).replaceAll('-', ''), parentSpanId: '' });
  expect(request!.headers).not.toHaveProperty('x-injected');
  expect(request!.headers).not.toHaveProperty('tracestate');
});

test('a traceparent of a version to come is understood, and passed on in the version that is known', async () => {
  await traced.start([traced.hook()]);
  await traced.write(1, `cc-${TRACE}-${PARENT}-ff-what-the-future-brings`, 'bad\nstate');
  const [request] = await given.receiver.waitFor(1);
  await traced.finished(1);
  const [span] = await traced.spansAfterStop();
  expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, traceState: '' });
  expect(request!.headers['traceparent']).toBe(`00-${TRACE}-${span!.spanId}-01`);
});

test('the deliveries of a batch are spans below their applications, and the request is one that is linked to them', async () => {
  const endpoint = endpointOf(`${given.receiver.url}/hook`);
  const action: WebhookActionDefinition = {
    type: 'webhook',
    name: 'tell',
    endpoint,
    method: 'POST',
    headers: {},
    body: null,
    batch: { max: 3, within: 10_000 },
  };
  await traced.start([observerOf('all', endpoint, { actions: [action] })]);
  for (const [id, letter] of ['a', 'b', 'c'].entries()) await traced.write(id, `00-${letter.repeat(32)}-${PARENT}-01`);
  const [request] = await given.receiver.waitFor(1);
  await traced.finished(3);
  const spans = await traced.spansAfterStop();
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
  await given.database.query('create table public.audit (id bigint primary key)');
  await given.database.capture('public.audit', { entity: 'Audit' });
  await given.database.query(
    `create function public.note(e jsonb) returns void language sql as 'insert into public.audit values ((e #>> ''{data,id}'')::bigint)'`,
  );
  const action = { type: 'database', name: 'note', function: 'public.note', timeout: 5_000 } as const;
  await traced.start([
    { ...traced.hook({ entities: ['Audit'] }) },
    { ...traced.hook({ entities: ['Order'], actions: [action] }), name: 'note' },
  ]);
  await traced.write(7, SAMPLED, 'a=1');
  const [request] = await given.receiver.waitFor(1);
  await traced.finished(2);
  const spans = await traced.spansAfterStop();
  const [call, webhook] = [spans.find(({ name }) => name === 'deliver note/note'), spans.find(({ name }) => name === 'deliver bill/hook')];
  expect(call).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: 3, attributes: { 'db.system.name': 'postgresql' } });
  expect(webhook).toMatchObject({ traceId: TRACE, parentSpanId: call!.spanId, traceState: 'a=1' });
  expect(request!.headers['traceparent']).toContain(webhook!.spanId);
});

test('docs/traces.md lists every attribute of a span', async () => {
  given.receiver.answer = status(400);
  await traced.start([traced.hook()]);
  await traced.write(1, SAMPLED);
  await traced.finished(1);
  const [span] = await traced.spansAfterStop();
  const page = readFileSync(join(__dirname, '../../docs/traces.md'), 'utf8');
  for (const name of Object.keys(span!.attributes)) expect(page).toContain(`\`${name}\``);
});
