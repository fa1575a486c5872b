import { TermConnections } from '../../src/connections/term-connections';
import { UNTRACED } from '../../src/tracing/tracing';
import { createECDH } from 'node:crypto';
import pino from 'pino';
import { ActionRunner } from '../../src/actions/action-runner';
import { CustomActions, NO_CUSTOM_ACTIONS } from '../../src/actions/custom/custom-actions';
import type { CustomActionHandler, CustomDelivery } from '../../src/actions/custom/custom-action';
import { succeeded } from '../../src/actions/custom/outcomes';
import { digestOf, type Content, type Header, type Rendering } from '../../src/actions/rendering';
import type { Settings } from '../../src/config/settings';
import { UnrecordedCalls } from '../../src/actions/database/unrecorded-calls';
import type { ActionDefinition } from '../../src/event/definitions';
import { idOf, type Delivery } from '../../src/event/delivery';
import type { EntityEvent } from '../../src/event/entity-event';
import { TemplateRenderError } from '../../src/matching/template/template';
import { createTestDatabase } from '../support/database';
import { startFcmServer } from '../support/fcm-server';
import { describeWith, program } from '../support/missing-server';
import { startNats } from '../support/nats-server';
import { startPushService } from '../support/push-service';
import { startReceiver, type Received, type Receiver } from '../support/receiver';
import { startRedis, type TestRedis } from '../support/redis-server';
import { startSmtpServer } from '../support/smtp-server';
import { defaultSettings, endpointOf, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { startTwilioServer, TWILIO_CREDENTIALS } from '../support/twilio-server';
import { orderEvent } from '../unit/matching/order-event';

const ROW = '{"id":12345678901234567890,"name":"Grüße \\"A\\" & <b>","phone":"+4915112345678","email":"ann@example.org","none":null}';
const EVENT: EntityEvent = orderEvent(ROW, { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', cause: 'a/b' });
const TEST_ID = '5f3c3c0a-8a63-4e0e-9a43-1de0e5a7f0aa';

/** Everything that was begun, ended in the opposite order. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
function until<T extends { close(): Promise<unknown> }>(opened: T): T {
  ends.push(() => opened.close());
  return opened;
}

interface Options {
  readonly settings?: Partial<Settings>;
  readonly custom?: CustomActions;
  readonly event?: EntityEvent;
  readonly test?: string;
  readonly url?: string;
  readonly logger?: pino.Logger;
}

/** Renders a delivery, then runs it: by the same runner as the service does. */
async function renderAndRun(action: ActionDefinition, options: Options = {}): Promise<Rendering> {
  const { settings = {}, custom = NO_CUSTOM_ACTIONS, event = EVENT, test, url = '', logger = pino({ level: 'silent' }) } = options;
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action] });
  const parts = {
    connections: new TermConnections(defaultSettings(settings)),
    custom,
    once: new UnrecordedCalls(() => Promise.resolve(url)),
    tracing: UNTRACED,
  };
  const runner = until(new ActionRunner([observer], logger, parts));
  const delivery: Delivery = { event, observer, action, attempt: 1, configVersion: 1, ...(test === undefined ? {} : { test }) };
  const rendering = runner.render(delivery);
  const outcome = await runner.run(delivery);
  expect(outcome).toMatchObject({ ok: true });
  return rendering;
}

type Http = Extract<Content, { type: 'http' }>;
const http = ({ content }: Rendering): Http => {
  expect(content.type).toBe('http');
  return content as Http;
};

/** Headers that HTTP itself adds, and those that are made when a request is sent. */
const NOT_RENDERED = ['host', 'connection', 'content-length', 'transfer-encoding'];
const MADE_LATER = ['webhook-timestamp', 'webhook-signature', 'authorization'];

function expectArrived(rendering: Rendering, request: Received | undefined, origin: string): void {
  const { method, url, headers, body } = http(rendering);
  expect({ method, url, body: body ?? '' }).toEqual({ method: request?.method, url: `${origin}${request?.path}`, body: request?.body });
  const rendered = headers.map(([name, value]) => [name, MADE_LATER.includes(name) ? '(later)' : value]);
  const arrived = Object.entries(request?.headers ?? {}).filter(([name]) => !NOT_RENDERED.includes(name));
  expect(Object.fromEntries(rendered)).toEqual(
    Object.fromEntries(arrived.map(([name, value]) => [name, MADE_LATER.includes(name) ? '(later)' : value])),
  );
}

describe('HTTP', () => {
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = until(await startReceiver());
  });
  const webhook = (more: Partial<Extract<ActionDefinition, { type: 'webhook' }>>): ActionDefinition => {
    const endpoint = endpointOf(`${receiver.url}/hook/{{ name }}?id={{ data.id }}`, { headers: { 'X-Name': '{{ name }}' } });
    return {
      type: 'webhook',
      name: 'hook',
      endpoint,
      method: 'POST',
      headers: { 'x-own': 'b{{ none }}c' },
      body: null,
      batch: null,
      ...more,
    };
  };

  it.each([
    ['the envelope', {}, []],
    [
      'a structure',
      { body: { id: '{{ data.id | json }}', who: '{{ name | upcase }}', none: '{{ none }}{{ nowhere }}' } },
      ['none', 'nowhere'],
    ],
    ['a text', { body: 'Dear {{ name }}', headers: { 'content-type': 'text/plain' }, method: 'PUT' as const }, []],
    ['no body', { method: 'GET' as const }, []],
  ])('a webhook with %s arrives as it is rendered', async (_what, more, missing) => {
    const action = webhook({ headers: {}, ...more });
    const rendering = await renderAndRun(action);
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(rendering.missing).toEqual(missing);
    expect(http(rendering).headers).toContainEqual(['webhook-signature', '(signed when sent)']);
    expect(JSON.stringify(rendering)).not.toContain('v1,');
  });

  it('values that a header lacks are named too', async () => {
    const rendering = await renderAndRun(webhook({}));
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(rendering.missing).toEqual(['none']);
  });

  it('a test has its own id and says so; a real one does not', async () => {
    const test = await renderAndRun(webhook({}), { test: TEST_ID });
    expectArrived(test, receiver.requests[0], receiver.url);
    expect(receiver.requests[0]?.headers).toMatchObject({ 'webhook-id': TEST_ID, 'observers-test': 'true' });
    await renderAndRun(webhook({}));
    expect(receiver.requests[1]?.headers).not.toHaveProperty('observers-test');
  });

  it('a delivery alone in its batch arrives as it is rendered', async () => {
    const endpoint = endpointOf(`${receiver.url}/batch`, { headers: { 'X-A': 'b' } });
    const rendering = await renderAndRun(webhook({ endpoint, headers: {}, batch: { max: 10, within: 1 } }), { test: TEST_ID });
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(http(rendering).body).toMatch(/^\[\{.*\}\]$/);
    expect(rendering.notes).toEqual([containing('up to 10 deliveries')]);
  });

  it('a Slack message arrives as it is rendered', async () => {
    const endpoint = endpointOf(`${receiver.url}/services/x`, { signingSecrets: [] });
    const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: '*{{ name }}*' } }];
    const rendering = await renderAndRun({ type: 'slack', name: 'slack', endpoint, text: 'new: {{ name }}', blocks });
    expectArrived(rendering, receiver.requests[0], receiver.url);
    expect(http(rendering).body).toContain('&lt;b&gt;');
  });

  it('a text message arrives as it is rendered, without the account’s token in what is shown', async () => {
    const twilio = until(await startTwilioServer());
    const smsUrl = `http://${TWILIO_CREDENTIALS}@127.0.0.1:${twilio.port}`;
    const action = {
      type: 'sms',
      name: 'text',
      to: '{{ phone }}',
      from: '+15551234567',
      text: 'Order {{ name }}',
      timeout: 5_000,
    } as const;
    const rendering = await renderAndRun(action, { settings: { smsUrl } });
    expectArrived(rendering, twilio.requests[0], twilio.url);
    expect(http(rendering).headers).toContainEqual(['authorization', '(of OBSERVERS_SMS_URL)']);
    const token = Buffer.from(TWILIO_CREDENTIALS).toString('base64');
    expect(twilio.requests[0]?.headers['authorization']).toContain(token);
    expect(JSON.stringify(rendering)).not.toContain(token);
  });

  it('a message to FCM arrives as it is rendered, and no token is fetched to render it', async () => {
    const fcm = until(await startFcmServer());
    const target = { kind: 'token', value: '{{ phone }}' } as const;
    const to = {
      provider: 'fcm',
      target,
      notification: { title: '{{ name }}' },
      data: { id: '{{ data.id }}' },
      ttl: 60_000,
      timeout: 5_000,
    } as const;
    const rendering = await renderAndRun(
      { type: 'push', name: 'push', timeout: 5_000, to },
      { settings: { fcmCredentials: fcm.credentials, fcmUrl: fcm.url } },
    );
    expectArrived(rendering, fcm.messages[0], fcm.url);
    expect(fcm.grants).toHaveLength(1);
  });

  it('a Web Push message is, once it is decrypted, what is rendered', async () => {
    const service = until(await startPushService());
    const keys = createECDH('prime256v1');
    keys.generateKeys();
    const settings = { vapidPrivateKey: keys.getPrivateKey('base64url'), vapidSubject: 'mailto:a@shop.example' };
    const to = {
      provider: 'web push',
      subscription: JSON.stringify(service.subscription),
      notification: { title: '{{ name }}' },
      data: {},
      ttl: 60_000,
      urgency: 'high',
      allowAddresses: ['loopback'],
      timeout: 5_000,
    } as const;
    const rendering = await renderAndRun({ type: 'push', name: 'push', timeout: 5_000, to }, { settings });
    const [request] = service.requests;
    expect(service.messages[0]?.text).toBe(http(rendering).body);
    expectArrived({ ...rendering, content: { ...http(rendering), body: request?.body ?? '' } }, request, service.url);
  });

  it('a document is the line of the bulk request', async () => {
    receiver.answer = (_request, response) =>
      void response
        .writeHead(200, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' })
        .end('{"items":[{"index":{"status":201}}]}');
    const action = {
      type: 'search',
      name: 'index',
      index: 'orders',
      id: '{{ entity.key }}',
      routing: '{{ name }}',
      operation: 'auto',
      document: { who: '{{ name }}', none: '{{ nowhere }}' },
      timeout: 5_000,
    } as const;
    const { content, missing } = await renderAndRun(action, { settings: { elasticsearchUrl: [receiver.url] } });
    const [head = '', document] = receiver.requests.find(({ path }) => path.startsWith('/_bulk'))!.body.split('\n');
    const sent = (JSON.parse(head) as { index: Record<string, unknown> }).index;
    const expected = {
      type: 'search',
      operation: 'index',
      index: sent['_index'],
      id: sent['_id'],
      routing: sent['routing'],
      version: sent['version'],
      document,
    };
    expect(content).toEqual(expected);
    expect(missing).toEqual(['nowhere']);
  }, 30_000);
});

test('a mail arrives as it is rendered', async () => {
  const smtp = until(await startSmtpServer());
  const action = {
    type: 'email',
    name: 'mail',
    from: 'The shop <shop@example.com>',
    to: ['{{ data.email }}'],
    cc: ['cc@example.org'],
    bcc: ['bcc@example.org'],
    replyTo: 'reply@example.com',
    subject: 'Order {{ entity.key }}',
    text: 'Dear {{ name }}{{ none }}',
    html: '<p>{{ name }}</p>',
    timeout: 5_000,
  } as const;
  const { content, missing } = await renderAndRun(action, { settings: { smtpUrl: `smtp://127.0.0.1:${smtp.port}` }, test: TEST_ID });
  if (content.type !== 'email') throw new Error(content.type);
  const [mail] = smtp.mails;
  const source = mail?.source ?? '';
  expect(mail?.to).toEqual([...content.to, ...content.cc, ...content.bcc]);
  for (const [name, value] of [
    ['From', content.from],
    ['To', content.to.join(', ')],
    ['Cc', content.cc.join(', ')],
    ['Reply-To', content.replyTo],
    ['Subject', content.subject],
    ['Message-ID', content.messageId],
    ['Observers-Test', 'true'],
  ])
    expect(source).toContain(`${name}: ${value}\r\n`);
  const bytes = (text: string): Buffer =>
    Buffer.from(
      text.replace(/=\r\n/g, '').replace(/=([\dA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
      'latin1',
    );
  expect(bytes(source).toString('utf8')).toContain(`\r\n${content.text}\r\n`);
  expect(bytes(source).toString('utf8')).toContain(`\r\n${content.html}\r\n`);
  expect(content.messageId).toContain(TEST_ID);
  expect(missing).toEqual(['none']);
});

describeWith(program('redis-server'), () => {
  let redis: TestRedis;
  beforeEach(async () => {
    redis = until(await startRedis());
  });

  test('the keys that are set and removed are those that are rendered', async () => {
    const { client } = redis;
    for (const key of ['order:42', 'Order:a:1', 'Order:a:2', 'other']) await client.set(key, '1');
    const action = {
      type: 'cache',
      name: 'cache',
      keys: ['order:{{ entity.key }}'],
      patterns: ['{{ entity.type }}:a:*'],
      set: { key: 'new:{{ entity.key }}', value: { who: '{{ name }}' }, ttl: 60_000 },
      timeout: 5_000,
    } as const;
    const { content } = await renderAndRun(action, { settings: { redisUrl: redis.url } });
    if (content.type !== 'cache') throw new Error(content.type);
    expect(content).toMatchObject({ delete: ['order:42'], deleteMatching: ['Order:a:*'] });
    expect(await client.get(content.set?.key ?? '')).toBe(content.set?.value);
    const left = await client.pttl(content.set?.key ?? '');
    expect([left > 50_000, left <= (content.set?.ttl ?? 0)]).toEqual([true, true]);
    expect((await client.keys('*')).filter((key) => !key.includes('new:')).sort()).toEqual(['other']);
  });

  test('the key of a deleted row is rendered as removed', async () => {
    const event = { ...EVENT, kind: 'delete' } as const;
    await redis.client.set('new:42', '1');
    const set = { key: 'new:{{ entity.key }}', value: '{{ name }}', ttl: null };
    const { content } = await renderAndRun(
      { type: 'cache', name: 'cache', keys: [], patterns: [], set, timeout: 5_000 },
      { settings: { redisUrl: redis.url }, event },
    );
    expect(content).toMatchObject({ set: { key: 'new:42', value: null, ttl: null } });
    expect(await redis.client.get('new:42')).toBeNull();
  });

  test('an entry of a stream is the fields that are rendered', async () => {
    const to = { broker: 'redis', stream: 'orders:{{ entity.key }}', maxLength: 10 } as const;
    const action = { type: 'publish', name: 'publish', to, body: 'Dear {{ name }}', timeout: 5_000 } as const;
    const { content } = await renderAndRun(action, { settings: { redisUrl: redis.url }, test: TEST_ID });
    if (content.type !== 'redis stream') throw new Error(content.type);
    const [[, fields] = []] = await redis.client.xrange(content.stream, '-', '+');
    expect(fields).toEqual(content.fields.flat());
    expect(content.fields).toContainEqual(['observers-test', 'true']);
  });
});

describeWith(program('nats-server'), () => {
  test('a message to NATS arrives as it is rendered', async () => {
    const nats = until(await startNats());
    await nats.manage(({ streams }) => streams.add({ name: 'orders', subjects: ['orders.>'] }));
    const to = { broker: 'nats', subject: 'orders.{{ entity.key }}', headers: { 'x-name': '{{ name }}' } } as const;
    const action = { type: 'publish', name: 'publish', to, body: null, timeout: 5_000 } as const;
    const { content } = await renderAndRun(action, { settings: { natsUrl: `nats://${nats.host}` }, test: TEST_ID });
    if (content.type !== 'nats') throw new Error(content.type);
    const [message] = await nats.messages('orders');
    expect([message?.subject, message?.string()]).toEqual([content.subject, content.body]);
    const arrived = [...(message?.header ?? [])].map(([name, [value]]): Header => [name, value ?? '']);
    expect(new Map(arrived)).toEqual(new Map(content.headers));
  });
});

test('a function is called with the argument that is rendered', async () => {
  const database = await createTestDatabase();
  ends.push(() => database.drop());
  await database.query(`create table public.got (event text, cause text)`);
  await database.query(
    `create function public.handle(event text) returns void language sql as $$ insert into public.got values (event, current_setting('observers.cause')) $$`,
  );
  const action = { type: 'database', name: 'call', function: 'public.handle', timeout: 5_000 } as const;
  const { content } = await renderAndRun(action, { url: database.url });
  expect(await database.query('select event, cause from public.got')).toEqual([
    { event: (content as Extract<Content, { type: 'database' }>).argument, cause: 'a/b,all/call' },
  ]);
  expect(await database.query('select from observers.attempt')).toEqual([]);
});

test('the line in the log is the one that is rendered', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const { content } = await renderAndRun({ type: 'log', name: 'say', level: 'warn', message: 'Order of {{ name }}' }, { logger });
  if (content.type !== 'log') throw new Error(content.type);
  expect(JSON.parse(lines[0]!)).toMatchObject({ ...content.fields, msg: content.message, level: 40 });
});

describe('a custom action', () => {
  const given: CustomDelivery[] = [];
  const limits = { concurrency: 4, rateLimit: null, circuitBreaker: null };
  const action = { type: 'custom', name: 'own', handler: 'own', options: {}, endpoint: 'all/own', limits, timeout: 2_000 } as const;
  const run = (delivery: CustomDelivery) => {
    given.push(delivery);
    return Promise.resolve(succeeded());
  };
  const withHandler = (handler: CustomActionHandler) => ({
    custom: new CustomActions(new Map([['own', handler]]), () => Promise.resolve()),
  });

  test('says what it would do, of the same delivery as it is run with', async () => {
    const rendered: CustomDelivery[] = [];
    const render = (delivery: CustomDelivery) => {
      rendered.push(delivery);
      return { title: `Order ${delivery.event.entityKey}` };
    };
    const { content, notes } = await renderAndRun(action, { ...withHandler({ prepare: () => ({ run, render }) }), test: TEST_ID });
    expect(content).toEqual({ type: 'custom', handler: 'own', rendered: { title: 'Order 42' } });
    expect(notes).toEqual([]);
    expect(given.pop()).toEqual(rendered[0]);
    expect(rendered[0]).toMatchObject({ id: TEST_ID, test: true });
  });

  test('one that says nothing is honestly not rendered', async () => {
    const { content, notes } = await renderAndRun(action, withHandler({ prepare: () => run }));
    expect(content).toMatchObject({ rendered: null });
    expect(notes).toEqual(['a custom action is not rendered: own has no method render']);
  });

  test('one that breaks while it is rendered is told so', () => {
    const render = (): never => {
      throw new Error('no title');
    };
    const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action] });
    const { custom } = withHandler({ prepare: () => ({ run, render }) });
    const once = new UnrecordedCalls(() => Promise.resolve(''));
    const parts = { connections: new TermConnections(defaultSettings()), custom, once, tracing: UNTRACED };
    const runner = until(new ActionRunner([observer], pino({ level: 'silent' }), parts));
    expect(() => runner.render({ event: EVENT, observer, action, attempt: 1, configVersion: 1 })).toThrow(
      new TemplateRenderError('own cannot be rendered: no title'),
    );
  });
});

test('the digest of a payload is the same for the same bytes, whoever it is sent to and when', async () => {
  const receiver = until(await startReceiver());
  const hook = (path: string) =>
    ({
      type: 'webhook',
      name: 'hook',
      endpoint: endpointOf(`${receiver.url}${path}`),
      method: 'POST',
      headers: {},
      body: null,
      batch: null,
    }) as const;
  const [one, other] = [await renderAndRun(hook('/a')), await renderAndRun(hook('/b'), { test: TEST_ID })];
  expect(digestOf(one.content)).toEqual(digestOf(other.content));
  expect(digestOf(one.content).bytes).toBe(receiver.requests[0]?.bytes.length);
  expect(idOf({ event: EVENT, observer: { name: 'all' }, action: { name: 'hook' }, attempt: 1 } as Delivery)).toBe(
    receiver.requests[0]?.headers['webhook-id'],
  );
});
