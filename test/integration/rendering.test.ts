import { TermConnections } from '../../src/connections/term-connections';
import { UNTRACED } from '../../src/tracing/tracing';
import pino from 'pino';
import { ActionRunner } from '../../src/actions/action-runner';
import { CustomActions } from '../../src/actions/custom/custom-actions';
import type { CustomActionHandler, CustomDelivery } from '../../src/actions/custom/custom-action';
import { succeeded } from '../../src/actions/custom/outcomes';
import { digestOf, type Content, type Header } from '../../src/actions/rendering';
import { UnrecordedCalls } from '../../src/actions/database/unrecorded-calls';
import { idOf, type Delivery } from '../../src/event/delivery';
import { TemplateRenderError } from '../../src/matching/template/template';
import { createTestDatabase } from '../support/database';
import { describeWith, program } from '../support/missing-server';
import { KAFKA, startKafka } from '../support/kafka';
import { startNats } from '../support/nats-server';
import { startReceiver } from '../support/receiver';
import { startRedis, type TestRedis } from '../support/redis-server';
import { startSmtpServer } from '../support/smtp-server';
import { defaultSettings, endpointOf, observerOf } from '../support/stream';
import { startRabbit } from '../support/rabbit-server';
import { EVENT, TEST_ID, givenRenderings } from '../support/rendering';

const { until, renderAndRun } = givenRenderings();

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

describeWith(KAFKA, () => {
  test('a message to Kafka arrives as it is rendered', async () => {
    const kafka = until(await startKafka());
    await kafka.createTopic('orders');
    const to = { broker: 'kafka', topic: 'orders', key: null, headers: { 'x-name': '{{ name }}' } } as const;
    const action = { type: 'publish', name: 'publish', to, body: { a: '{{ name }}' }, timeout: 10_000 } as const;
    const { content } = await renderAndRun(action, { settings: { kafkaUrl: `kafka://${kafka.host}` }, test: TEST_ID });
    if (content.type !== 'kafka') throw new Error(content.type);
    const [message] = await kafka.messages(content.topic, 1);
    expect([message?.key, message?.value]).toEqual([content.key, content.body]);
    expect(message?.headers).toEqual(Object.fromEntries(content.headers));
    expect(content.headers).toContainEqual(['observers-test', 'true']);
  }, 300_000);
});

describeWith(program('rabbitmq-server'), () => {
  test('a message to RabbitMQ arrives as it is rendered', async () => {
    const rabbit = until(await startRabbit());
    await rabbit.manage((channel) => channel.assertQueue('orders'));
    const to = { broker: 'rabbitmq', exchange: '', routingKey: 'orders', headers: { 'x-name': '{{ name }}' } } as const;
    const action = { type: 'publish', name: 'publish', to, body: null, timeout: 5_000 } as const;
    const { content } = await renderAndRun(action, { settings: { rabbitmqUrl: rabbit.url }, test: TEST_ID });
    if (content.type !== 'rabbitmq') throw new Error(content.type);
    const [message] = await rabbit.take('orders');
    expect([message?.fields.exchange, message?.fields.routingKey, message?.content.toString()]).toEqual([
      content.exchange,
      content.routingKey,
      content.body,
    ]);
    const { messageId, contentType, headers = {} } = message?.properties ?? {};
    expect({ 'message-id': messageId, 'content-type': contentType, ...headers }).toEqual(Object.fromEntries(content.headers));
    expect(content.headers).toContainEqual(['observers-test', 'true']);
  }, 120_000);
});

test('a function is called with the argument that is rendered', async () => {
  const database = await createTestDatabase();
  until({ close: () => database.drop() });
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
