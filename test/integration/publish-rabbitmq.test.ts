import { createServer, type AddressInfo } from 'node:net';
import { RabbitServer } from '../../src/connections/rabbit-server';
import type { PublishTarget, RetryPolicy } from '../../src/event/definitions';
import { describeWith, program } from '../support/missing-server';
import { startRabbit, type TestRabbit } from '../support/rabbit-server';
import { givenAction } from '../support/one-action';
import { FAST_RETRY } from '../support/stream';
import { containing, matching } from '../support/texts';
import { atLeast, untilRows } from '../support/until';

const ORDERS = { broker: 'rabbitmq', exchange: 'orders', routingKey: 'order.{{ entity.key }}', headers: {} } as const;
const FOREVER = { ...FAST_RETRY, maxAttempts: 1_000 };
const ONCE = { ...FAST_RETRY, maxAttempts: 1 };

const given = givenAction();
const { attempts, succeeded, dead } = given;

interface Options {
  readonly url: string;
  readonly to?: PublishTarget;
  readonly body?: string | null;
  readonly retry?: RetryPolicy;
  readonly timeout?: number;
}

const start = async ({ url, to = ORDERS, body = null, retry = FAST_RETRY, timeout = 5_000 }: Options): Promise<void> => {
  await given.start({ type: 'publish', name: 'publish', to, body, timeout }, { rabbitmqUrl: url }, retry);
};
const insert = (id: string, customer = 'alice'): Promise<unknown> =>
  given.database.query('insert into orders values ($1, $2, 1)', [id, customer]);
describeWith(
  program('rabbitmq-server'),
  () => {
    let rabbit: TestRabbit;
    beforeAll(async () => {
      rabbit = await startRabbit();
    }, 120_000);
    afterAll(() => rabbit.close());

    beforeEach(() =>
      rabbit.manage(async (channel) => {
        await channel.assertExchange('orders', 'topic', { durable: true });
        await channel.assertQueue('orders', { durable: true });
        await channel.bindQueue('orders', 'orders', 'order.*');
      }),
    );
    afterEach(() =>
      rabbit.manage(async (channel) => {
        await channel.deleteExchange('orders');
        await channel.deleteQueue('orders');
      }),
    );

    test('the envelope arrives as a CloudEvent, and outlives the server', async () => {
      await start({ url: rabbit.url, to: { ...ORDERS, headers: { 'x-customer': '{{ customer }}' } } });
      await given.database.query("insert into orders values ('7', 'grüße', 12345678901234567890.12)");
      await succeeded(1);
      const [message] = await rabbit.take('orders');
      expect(message?.fields.routingKey).toBe('order.7');
      expect(message?.properties).toMatchObject({ deliveryMode: 2, contentType: 'application/json' });
      expect(message?.properties.messageId).toBe(message?.properties.headers?.['cloudEvents:id']);
      expect(message?.properties.headers).toEqual({
        'cloudEvents:specversion': '1.0',
        'cloudEvents:id': matching(/^[\da-f]{8}-[\da-f]{4}-5/),
        'cloudEvents:type': 'order.created',
        'cloudEvents:source': 'fraiseql-observers/all',
        'cloudEvents:subject': 'Order/7',
        'cloudEvents:time': matching(/^\d{4}-\d\d-\d\dT.*Z$/),
        'observers-cause': 'all/publish',
        'x-customer': 'gr%C3%BC%C3%9Fe',
      });
      expect(message?.content.toString()).toContain('"total":12345678901234567890.12');
    });

    test('the changes of one entity are in the queue in their order, each once', async () => {
      await start({ url: rabbit.url, body: '{{ total }}' });
      await given.database.query("insert into orders select 'k' || i, 'x', 0 from generate_series(1, 20) i");
      for (let round = 1; round <= 9; round++) await given.database.query('update orders set total = $1', [round]);
      await succeeded(200);
      const messages = await rabbit.take('orders');
      expect(messages).toHaveLength(200);
      for (const key of new Set(messages.map(({ fields }) => fields.routingKey))) {
        const own = messages.filter(({ fields }) => fields.routingKey === key);
        expect(own.map(({ content }) => content.toString())).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
      }
    });

    test('a value stays one word of the routing key, and the default exchange takes the name of a queue', async () => {
      await start({ url: rabbit.url });
      await insert('a.b');
      await succeeded(1);
      expect((await rabbit.take('orders'))[0]?.fields.routingKey).toBe('order.a%2Eb');
      await given.stop();
      await start({ url: rabbit.url, to: { ...ORDERS, exchange: '', routingKey: '{{ customer }}' } });
      await insert('8', 'orders');
      await succeeded(2);
      expect((await rabbit.take('orders'))[0]?.fields).toMatchObject({ exchange: '', routingKey: 'orders' });
    });

    test('a message that no queue takes is tried again until one does', async () => {
      await start({ url: rabbit.url, to: { ...ORDERS, routingKey: 'other.{{ entity.key }}' }, retry: { ...FOREVER, initialDelay: 200 } });
      await insert('7');
      expect((await attempts(1))[0]).toEqual({ outcome: 'retry', error: 'unavailable' });
      await rabbit.manage((channel) => channel.bindQueue('orders', 'orders', 'other.*'));
      await succeeded(1);
      expect(await rabbit.take('orders')).toHaveLength(1);
    });

    test('a queue that is full and refuses more is tried again', async () => {
      await rabbit.manage(async (channel) => {
        await channel.assertQueue('one', { arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
      });
      await start({ url: rabbit.url, to: { ...ORDERS, exchange: '', routingKey: 'one' }, retry: { ...FOREVER, initialDelay: 200 } });
      await insert('7');
      await succeeded(1);
      await insert('8');
      await untilRows(
        given.database,
        "select from observers.attempt where error = 'unavailable' and message like '%queue is full%'",
        atLeast(1),
      );
      expect(await rabbit.take('one')).toHaveLength(1);
      await succeeded(2);
      await rabbit.manage((channel) => channel.deleteQueue('one'));
    });

    test('an exchange that is not there ends as a dead letter that says so', async () => {
      await start({ url: rabbit.url, to: { ...ORDERS, exchange: 'nothing' } });
      await insert('7');
      expect(await dead()).toMatchObject({ error: 'configuration', message: containing('RABBITMQ_URL has no such exchange'), attempts: 1 });
    });

    test('what is too large is refused for good, and those beside it arrive', async () => {
      await start({ url: rabbit.url });
      await given.database.query("insert into orders select 'k' || i, case i when 50 then repeat('x', 70000) else 'x' end, i from generate_series(1, 100) i"); // prettier-ignore
      expect(await dead()).toMatchObject({ error: 'refused', message: containing('message size'), attempts: 1 });
      await succeeded(99);
      const ids = (await rabbit.take('orders')).map(({ properties }) => properties.messageId as string);
      expect(new Set(ids).size).toBe(99);
    });

    test('a routing key that is too long is refused for good', async () => {
      await start({ url: rabbit.url });
      await insert('x'.repeat(300));
      expect(await dead()).toMatchObject({ error: 'refused', attempts: 1 });
    });

    test.each([
      ['all:CANARY-wrong', '', 'does not accept the user and password of RABBITMQ_URL'],
      ['few:CANARY-few', '', 'does not let the user of RABBITMQ_URL publish there'],
      ['all:CANARY-all', '/nowhere', 'has no virtual host as RABBITMQ_URL names it'],
    ])('as %j at %j it says what is wrong, and shows no password', async (user, vhost, message) => {
      await start({ url: `amqp://${user}@${rabbit.host}${vhost}` });
      await insert('7');
      const letter = await dead();
      expect(letter).toMatchObject({ error: 'configuration', message: containing(message), attempts: 1 });
      expect(JSON.stringify(letter)).not.toContain('CANARY');
    });

    test('of several servers any one is used', async () => {
      await start({ url: `amqp://127.0.0.1:9,${rabbit.url}` });
      await insert('7');
      await succeeded(1);
      expect(await rabbit.take('orders')).toHaveLength(1);
    });

    test('a server that hangs does not keep from the next one', async () => {
      // It reads, and says nothing.
      const hangs = createServer((socket) => socket.resume());
      await new Promise<void>((resolve) => hangs.listen(0, '127.0.0.1', resolve));
      await start({ url: `amqp://127.0.0.1:${(hangs.address() as AddressInfo).port},${rabbit.url}`, timeout: 2_000, retry: ONCE });
      await insert('7');
      await succeeded(1);
      expect(await rabbit.take('orders')).toHaveLength(1);
      await given.stop();
      await new Promise((resolve) => hangs.close(resolve));
    });

    test('TLS to a server that speaks none, and nobody who listens', async () => {
      await start({ url: `amqps://${rabbit.host}`, retry: ONCE });
      await insert('7');
      expect(['tls', 'connection']).toContain((await dead())['error']);
      await given.stop();
      await given.database.query('delete from observers.dead_letter');
      await start({ url: 'amqp://127.0.0.1:9', retry: ONCE });
      await insert('8');
      expect(await dead()).toMatchObject({ error: 'connection', message: containing('ECONNREFUSED') });
    });

    test('a server that hangs is a timeout, and nothing is lost', async () => {
      await start({ url: rabbit.url, retry: { ...FOREVER, initialDelay: 200 }, timeout: 1_000 });
      await insert('7');
      await succeeded(1);
      rabbit.server.pause();
      await insert('8');
      expect((await attempts(2))[1]).toEqual({ outcome: 'retry', error: 'timeout' });
      rabbit.server.resume();
      await succeeded(2);
      const ids = (await rabbit.take('orders')).map(({ properties }) => properties.messageId as string);
      expect(new Set(ids).size).toBe(2);
    });

    test('what is under way when the service stops is interrupted', async () => {
      const server = new RabbitServer(rabbit.url);
      const message = { id: '1', exchange: 'orders', routingKey: 'order.1', contentType: 'text/plain', headers: [], body: 'x' };
      expect(await server.publish(message, 5_000)).toMatchObject({ ok: true });
      rabbit.server.pause();
      try {
        const outcome = server.publish({ ...message, id: '2' }, 60_000);
        server.close();
        expect(await outcome).toMatchObject({ error: 'interrupted' });
      } finally {
        rabbit.server.resume();
      }
      expect(await server.publish(message, 1_000)).toMatchObject({ error: 'interrupted' });
    });

    test('killed and started again, it has everything', async () => {
      await start({ url: rabbit.url, retry: { ...FOREVER, initialDelay: 1_000 } });
      await given.database.query("insert into orders select 'a' || i, 'x', i from generate_series(1, 200) i");
      await attempts(150);
      await rabbit.server.kill();
      await insert('b');
      await untilRows(given.database, "select from observers.attempt where error = 'connection'", atLeast(1));
      await rabbit.server.start();
      await succeeded(201);
      expect(new Set((await rabbit.take('orders')).map(({ properties }) => properties.messageId as string)).size).toBe(201);
    }, 120_000);
  },
  'RabbitMQ',
);
