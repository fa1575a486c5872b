import { KafkaServer } from '../../src/connections/kafka-server';
import type { PublishTarget, RetryPolicy } from '../../src/event/definitions';
import { KAFKA, startKafka, type TestKafka } from '../support/kafka';
import { describeWith } from '../support/missing-server';
import { givenAction } from '../support/one-action';
import { FAST_RETRY } from '../support/stream';
import { containing, matching } from '../support/texts';
import { atLeast, untilRows } from '../support/until';

const ORDERS = { broker: 'kafka', topic: 'orders', key: null, headers: {} } as const;
const FOREVER = { ...FAST_RETRY, maxAttempts: 1_000 };

const given = givenAction();
const { attempts, succeeded, dead } = given;

interface Options {
  readonly url: string;
  readonly to?: PublishTarget;
  readonly body?: string | null;
  readonly retry?: RetryPolicy;
  readonly timeout?: number;
}

const start = async ({ url, to = ORDERS, body = null, retry = FAST_RETRY, timeout = 10_000 }: Options): Promise<void> => {
  await given.start({ type: 'publish', name: 'publish', to, body, timeout }, { kafkaUrl: url }, retry);
};
const insert = (id: string, customer = 'alice'): Promise<unknown> =>
  given.database.query('insert into orders values ($1, $2, 1)', [id, customer]);
describeWith(
  KAFKA,
  () => {
    let kafka: TestKafka;
    const url = (): string => `kafka://${kafka.host}`;

    beforeAll(async () => {
      kafka = await startKafka();
    }, 300_000);
    afterAll(() => kafka.close());
    beforeEach(() => kafka.createTopic('orders', 3, { 'max.message.bytes': '65536' }));
    afterEach(() => kafka.deleteTopic('orders'));

    test('the envelope arrives as a CloudEvent, whose key is the entity', async () => {
      await start({ url: url(), to: { ...ORDERS, headers: { 'x-customer': '{{ customer }}' } } });
      await given.database.query("insert into orders values ('7', 'grüße', 12345678901234567890.12)");
      const [message] = await kafka.messages('orders', 1);
      expect(message?.key).toBe('Order/7');
      expect(message?.headers).toEqual({
        ce_specversion: '1.0',
        ce_id: matching(/^[\da-f]{8}-[\da-f]{4}-5/),
        ce_type: 'order.created',
        ce_source: 'fraiseql-observers/all',
        ce_subject: 'Order/7',
        ce_time: matching(/^\d{4}-\d\d-\d\dT.*Z$/),
        'content-type': 'application/json',
        'observers-cause': 'all/publish',
        'x-customer': 'gr%C3%BC%C3%9Fe',
      });
      expect(message?.value).toContain('"total":12345678901234567890.12');
      expect(JSON.parse(message?.value ?? '')).toMatchObject({ type: 'order.created', entity: { key: '7' } });
    });

    test('a key and a body of the file are taken instead', async () => {
      await start({ url: url(), to: { ...ORDERS, key: '{{ customer }}' }, body: 'a text: {{ id }}' });
      await insert('7');
      expect(await kafka.messages('orders', 1)).toMatchObject([
        { key: 'alice', value: 'a text: 7', headers: { 'content-type': 'text/plain; charset=utf-8' } },
      ]);
    });

    test('the changes of one entity are in one partition, in their order, each once', async () => {
      await start({ url: url(), body: '{{ total }}' });
      await given.database.query("insert into orders select 'k' || i, 'x', 0 from generate_series(1, 20) i");
      for (let round = 1; round <= 9; round++) await given.database.query('update orders set total = $1', [round]);
      await succeeded(200);
      const messages = await kafka.messages('orders', 200);
      expect(messages).toHaveLength(200);
      expect(new Set(messages.map(({ partition }) => partition)).size).toBe(3);
      for (const key of new Set(messages.map((message) => message.key))) {
        const own = messages.filter((message) => message.key === key);
        expect(own.map(({ value }) => value)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
      }
    });

    test('what is too large is refused for good, and those that travel with it arrive', async () => {
      await start({ url: url() });
      await given.database.query("insert into orders select 'k' || i, case i when 50 then repeat('x', 70000) else 'x' end, i from generate_series(1, 100) i"); // prettier-ignore
      expect(await dead()).toMatchObject({ error: 'refused', message: containing('MESSAGE_TOO_LARGE'), attempts: 1 });
      await succeeded(99);
      expect(await kafka.messages('orders', 99)).toHaveLength(99);
      expect(await attempts(100)).toHaveLength(100);
    });

    test('a topic that is not there ends as a dead letter that says so', async () => {
      await start({ url: url(), to: { ...ORDERS, topic: 'nothing' } });
      await insert('7');
      expect(await dead()).toMatchObject({ error: 'configuration', message: containing('KAFKA_URL has no such topic'), attempts: 1 });
    });

    test.each([
      ['all:CANARY-wrong', 'does not accept the user and password of KAFKA_URL'],
      ['few:CANARY-few', 'does not let the user of KAFKA_URL write'],
    ])('as %j it says what is wrong, and shows no password', async (user, message) => {
      await start({ url: `kafka://${user}@${kafka.users}` });
      await insert('7');
      const letter = await dead();
      expect(letter).toMatchObject({ error: 'configuration', attempts: 1 });
      expect(letter['message']).toContain(message);
      expect(JSON.stringify(letter)).not.toContain('CANARY');
    });

    test('a way to log in that it does not offer', async () => {
      await start({ url: `kafka://all:CANARY-all@${kafka.users}?sasl=plain` });
      await insert('7');
      expect(await dead()).toMatchObject({ error: 'configuration', message: containing('?sasl= in KAFKA_URL') });
    });

    test('without a user where one is wanted', async () => {
      await start({ url: `kafka://${kafka.users}`, retry: { ...FAST_RETRY, maxAttempts: 1 } });
      await insert('7');
      expect(await dead()).toMatchObject({ error: 'connection', message: containing('wants a user and a password in KAFKA_URL') });
    });

    test('with a user it delivers', async () => {
      await start({ url: `kafka://all:CANARY-all@${kafka.users}` });
      await insert('7');
      expect(await kafka.messages('orders', 1)).toHaveLength(1);
    });

    test('TLS to a broker that speaks none', async () => {
      await start({ url: `kafka+ssl://${kafka.host}`, retry: { ...FAST_RETRY, maxAttempts: 1 } });
      await insert('7');
      expect(['tls', 'connection']).toContain((await dead())['error']);
    });

    test('nobody listens', async () => {
      await start({ url: 'kafka://127.0.0.1:9', retry: { ...FAST_RETRY, maxAttempts: 1 } });
      await insert('7');
      expect(await dead()).toMatchObject({ error: 'connection', message: containing('ECONNREFUSED') });
    });

    test('a broker that hangs is a timeout, and what it stored meanwhile is not mistaken for the next try', async () => {
      await start({ url: url(), retry: FOREVER, timeout: 1_000 });
      await insert('7');
      await succeeded(1);
      kafka.server.pause();
      await insert('8');
      await insert('9');
      expect((await attempts(3)).slice(1)).toContainEqual({ outcome: 'retry', error: 'timeout' });
      kafka.server.resume();
      await succeeded(3);
      expect(new Set((await kafka.messages('orders', 3)).map(({ key }) => key))).toEqual(new Set(['Order/7', 'Order/8', 'Order/9']));
    });

    test('what is under way when the service stops is interrupted', async () => {
      const server = new KafkaServer(url());
      const message = { topic: 'orders', key: '1', headers: [], body: 'x' };
      expect(await server.publish(message, 5_000)).toMatchObject({ ok: true });
      kafka.server.pause();
      try {
        const outcomes = [server.publish(message, 60_000), server.publish({ ...message, key: '2' }, 60_000)];
        server.close();
        for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ error: 'interrupted' });
      } finally {
        kafka.server.resume();
      }
      expect(await server.publish(message, 1_000)).toMatchObject({ error: 'interrupted' });
    });

    test('killed with messages under way and started again, it has everything once', async () => {
      await start({ url: url(), retry: { ...FOREVER, initialDelay: 1_000 }, timeout: 30_000 });
      await given.database.query("insert into orders select 'a' || i, 'x', i from generate_series(1, 300) i");
      await attempts(1);
      await kafka.server.kill();
      await insert('b');
      await untilRows(given.database, "select from observers.attempt where error = 'connection'", atLeast(1));
      await kafka.server.start();
      await succeeded(301);
      const keys = (await kafka.messages('orders', 301)).map(({ key }) => key);
      expect(new Set(keys).size).toBe(301);
      expect(keys).toHaveLength(301);
    }, 120_000);
  },
  'Kafka',
);
