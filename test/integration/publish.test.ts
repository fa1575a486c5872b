import { connect } from '@nats-io/transport-node';
import type { PublishTarget } from '../../src/event/definitions';
import { startNats, type TestNats } from '../support/nats-server';
import { describeWith, program } from '../support/missing-server';
import { startRedis, type TestRedis } from '../support/redis-server';
import { givenAction } from '../support/one-action';
import { FAST_RETRY } from '../support/stream';
import { containing } from '../support/texts';
import { atLeast, eventually, until, untilRows } from '../support/until';

const given = givenAction();
const { attempts, dead } = given;

const start = async (
  settings: { redisUrl?: string; natsUrl?: string },
  to: PublishTarget,
  body: string | null = null,
  retry = FAST_RETRY,
): Promise<void> => {
  await given.start({ type: 'publish', name: 'publish', to, body, timeout: 1_000 }, settings, retry);
};

const insert = (id: string, total = '1', customer = 'alice'): Promise<unknown> =>
  given.database.query('insert into orders values ($1, $2, $3)', [id, customer, total]);
const ORDERS = { broker: 'nats', subject: 'orders.{{ entity.key }}', headers: {} } as const;

describeWith(
  program('nats-server'),
  () => {
    let nats: TestNats;
    const natsUrl = (): string => `nats://${nats.host}`;
    const createStream = (subjects: string[]): Promise<unknown> =>
      nats.manage(({ streams }) => streams.add({ name: 'orders', subjects, duplicate_window: 60_000_000_000 }));

    beforeEach(async () => {
      nats = await startNats();
    });
    afterEach(() => nats.close());

    test('the envelope arrives, with the delivery id by which the server drops repeats', async () => {
      await createStream(['orders.>']);
      await start({ natsUrl: natsUrl() }, { ...ORDERS, headers: { 'x-customer': '{{ customer }}' } });
      await insert('7', '12345678901234567890.12', 'grüße');
      await attempts(1);
      const [message] = await nats.messages('orders');
      expect(message?.subject).toBe('orders.7');
      expect(message?.header.get('x-customer')).toBe('gr%C3%BC%C3%9Fe');
      expect(message?.header.get('observers-cause')).toBe('all/publish');
      expect(message?.header.get('Nats-Msg-Id')).toMatch(/^[\da-f]{8}-[\da-f]{4}-5/);
      expect(message?.string()).toContain('"total":12345678901234567890.12');
      expect(message?.json()).toMatchObject({ type: 'order.created', entity: { key: '7' } });
    });

    test('what is sent again, for its acknowledgement came too late, is stored once', async () => {
      await createStream(['orders.>']);
      await start({ natsUrl: natsUrl() }, ORDERS, null, { ...FAST_RETRY, maxAttempts: 1_000 });
      await insert('7');
      await attempts(1);
      nats.server.pause();
      await insert('8');
      expect((await attempts(2))[1]).toEqual({ outcome: 'retry', error: 'timeout' });
      nats.server.resume();
      await untilRows(given.database, "select from observers.attempt where outcome = 'succeeded'", 2);
      expect((await nats.messages('orders')).map((message) => message.subject)).toEqual(['orders.7', 'orders.8']);
    });

    test.each([
      ['a.b', 'orders.a%2Eb'],
      ['*', 'orders.%2A'],
      ['> x\r\nPUB y 1', 'orders.%3E%20x%0D%0APUB%20y%201'],
      ['100%', 'orders.100%25'],
      ['grün', 'orders.grün'],
    ])('the value %j stays one part of the subject', async (id, subject) => {
      await createStream(['orders.*']);
      await start({ natsUrl: natsUrl() }, ORDERS);
      await insert(id);
      expect(await attempts(1)).toEqual([{ outcome: 'succeeded', error: null }]);
      expect((await nats.messages('orders')).map((message) => message.subject)).toEqual([subject]);
    });

    test('an empty value names no subject', async () => {
      await start({ natsUrl: natsUrl() }, { ...ORDERS, subject: 'orders.{{ customer }}' });
      await insert('7', '1', '');
      expect(await dead()).toMatchObject({ error: 'template', message: containing('empty or missing') });
    });

    test('a subject that no stream takes is tried again until one does', async () => {
      await start({ natsUrl: natsUrl() }, ORDERS, null, { ...FAST_RETRY, maxAttempts: 1_000 });
      await insert('7');
      expect((await attempts(1))[0]).toEqual({ outcome: 'retry', error: 'unavailable' });
      await createStream(['orders.>']);
      await until(async () => (await nats.messages('orders')).length === 1);
    });

    test('what is too long for the server is refused for good', async () => {
      await createStream(['orders.>']);
      await start({ natsUrl: natsUrl() }, ORDERS);
      await insert('7', '1', 'x'.repeat(70_000));
      expect(await dead()).toMatchObject({ error: 'refused', message: containing('payload'), attempts: 1 });
    });

    test('a stream that is full refuses for now', async () => {
      await nats.manage(({ streams }) => streams.add({ name: 'orders', subjects: ['orders.>'], max_msgs: 1, discard: 'new' }));
      await start({ natsUrl: natsUrl() }, ORDERS, null, { ...FAST_RETRY, maxAttempts: 1_000 });
      await insert('7');
      await attempts(1);
      await insert('8');
      expect((await attempts(2))[1]).toEqual({ outcome: 'retry', error: 'unavailable' });
      await nats.manage(({ streams }) => streams.purge('orders'));
      await eventually(
        () => nats.messages('orders'),
        ([message]) => message?.subject === 'orders.8',
      );
    });

    test('killed and started again, it has everything once', async () => {
      await createStream(['orders.>']);
      await start({ natsUrl: natsUrl() }, ORDERS, null, { ...FAST_RETRY, maxAttempts: 1_000 });
      await given.database.query("insert into orders select 'a' || i, 'x', i from generate_series(1, 200) i");
      await attempts(50);
      await nats.server.kill();
      await given.database.query("insert into orders select 'b' || i, 'x', i from generate_series(1, 50) i");
      await untilRows(given.database, "select from observers.attempt where error = 'connection'", atLeast(1));
      await nats.server.start();
      await untilRows(given.database, "select from observers.attempt where outcome = 'succeeded'", 250);
      const subjects = (await nats.messages('orders')).map((message) => message.subject);
      expect(new Set(subjects).size).toBe(250);
      expect(subjects).toHaveLength(250);
    });

    test('a server that hangs is a timeout', async () => {
      await createStream(['orders.>']);
      await start({ natsUrl: natsUrl() }, ORDERS, null, { ...FAST_RETRY, maxAttempts: 1 });
      await insert('7');
      await attempts(1);
      nats.server.pause();
      await insert('8');
      expect(await dead()).toMatchObject({ error: 'timeout', message: containing('within 1000 ms') });
    });

    test.each(['{}', 'thanks', ''])('something that is no stream answers %j', async (answer) => {
      const connection = await connect({ servers: nats.host });
      connection.subscribe('orders.>', { callback: (_error, message) => void message.respond(answer) });
      await connection.flush();
      await start({ natsUrl: natsUrl() }, ORDERS);
      await insert('7');
      expect(await dead()).toMatchObject({ error: 'refused', message: containing('no stream') });
      await connection.close();
    });

    test('nobody listens', async () => {
      await start({ natsUrl: 'nats://127.0.0.1:9' }, ORDERS, null, { ...FAST_RETRY, maxAttempts: 1 });
      await insert('7');
      expect(await dead()).toMatchObject({ error: 'connection', message: containing('ECONNREFUSED') });
    });
  },
  'NATS JetStream',
);

describeWith(
  program('nats-server'),
  () => {
    const AUTHORIZATION = `authorization { users: [
    { user: all, password: CANARY-all },
    { user: few, password: CANARY-few, permissions: { publish: ["other.>"], subscribe: ["_INBOX.>"] } } ] }`;

    test.each([
      ['all:CANARY-wrong', 'NATS_URL'],
      ['', 'NATS_URL'],
      ['few:CANARY-few', 'NATS_URL'],
    ])('as %j it says what is wrong, and shows no password', async (user, message) => {
      const nats = await startNats(AUTHORIZATION, { user: 'all', pass: 'CANARY-all' });
      try {
        await nats.manage(({ streams }) => streams.add({ name: 'orders', subjects: ['orders.>'] }));
        await start({ natsUrl: `nats://${user === '' ? '' : `${user}@`}${nats.host}` }, ORDERS);
        await insert('7');
        const letter = await dead();
        expect(letter).toMatchObject({ error: 'configuration', message: containing(message) });
        expect(JSON.stringify(letter)).not.toContain('CANARY');
      } finally {
        await given.stop();
        await nats.close();
      }
    });
  },
  'NATS with users',
);

describeWith(
  program('redis-server'),
  () => {
    let redis: TestRedis;
    beforeEach(async () => {
      redis = await startRedis();
    });
    afterEach(() => redis.close());

    test('gets an entry with id, type and body', async () => {
      await start({ redisUrl: redis.url }, { broker: 'redis', stream: 'orders:{{ customer }}', maxLength: null });
      await insert('7');
      await attempts(1);
      const [[, fields]] = (await redis.client.xrange('orders:alice', '-', '+')) as [[string, string[]]];
      expect(fields.filter((_field, i) => i % 2 === 0)).toEqual(['id', 'type', 'cause', 'body']);
      expect(fields[3]).toBe('order.created');
      expect(JSON.parse(fields[7]!)).toMatchObject({ entity: { key: '7' } });
    });

    test('keeps about as many entries as it may', async () => {
      await start({ redisUrl: redis.url }, { broker: 'redis', stream: 'orders', maxLength: 100 }, 'a text: {{ total }}');
      await given.database.query("insert into orders select i, 'x', i from generate_series(1, 500) i");
      await attempts(500);
      expect(await redis.client.xlen('orders')).toBeLessThan(350);
      const [[, fields]] = (await redis.client.xrevrange('orders', '+', '-', 'COUNT', 1)) as [[string, string[]]];
      expect(fields[7]).toMatch(/^a text: \d+$/);
    });
  },
  'a Redis stream',
);
