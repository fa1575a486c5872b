import { describeObservers } from '../../../src/config/describe';
import { kafkaAddress } from '../../../src/config/kafka-address';
import { SETTINGS } from '../../../src/config/settings';
import { ConfigFile } from './config-file';
import { containing, matching } from '../../support/texts';

const file = new ConfigFile();
afterAll(() => file.remove());

const ENV = {
  REDIS_URL: 'redis://:CANARY@redis.example',
  NATS_URL: 'nats://CANARY@nats.example,nats://u:CANARY@two.example',
  KAFKA_URL: 'kafka+ssl://u:CANARY@kafka.example:9093,two.example?sasl=plain',
  RABBITMQ_URL: 'amqp://u:CANARY@rabbit.example,amqps://u:CANARY@two.example/shop',
};
const action = (fields: string): string => `version: 1\nobservers:\n  - { name: a, entity: "*", actions: [{ ${fields} }] }\n`;

test.each([
  ['type: cache', /actions\[0\]: give delete, delete_matching or set/],
  ['type: cache, delete_matching: "*"', /delete_matching: it would remove every key/],
  ['type: cache, delete: ["a", "{{ x"]', /delete\[1\]: /],
  ['type: cache, set: { key: a, value: { b: "{{ event.colour }}" } }', /set\.value\.b: event has no "colour"/],
  ['type: cache, set: { key: a, value: b, ttl: 10ms }', /set\.ttl: expected a duration from 1s to 30d/],
  ['type: publish', /give subject \(NATS JetStream\), stream \(Redis\), topic \(Kafka\) or exchange \(RabbitMQ\), one of them/],
  ['type: publish, subject: a, stream: b', /one of them/],
  ['type: publish, subject: "orders.*"', /subject: a subject to publish to holds no blank/],
  ['type: publish, subject: "orders..{{ entity.key }}"', /no empty part/],
  ['type: publish, subject: "$JS.API"', /belong to the server/],
  ['type: publish, subject: a, max_length: 3', /max_length: how much is kept is decided by the stream of NATS/],
  ['type: publish, stream: a, headers: { x: y }', /headers: an entry of a Redis stream has no headers/],
  ['type: publish, subject: a, headers: { Nats-Msg-Id: y }', /set by the service itself/],
  ['type: publish, topic: a, exchange: b', /one of them/],
  ['type: publish, topic: "orders-{{ entity.key }}"', /topic: the name of a topic is no template/],
  ['type: publish, topic: "a b"', /topic: a topic has letters, digits/],
  ['type: publish, topic: a, key: "{{ x"', /key: /],
  ['type: publish, topic: a, headers: { ce_id: y }', /set by the service itself/],
  ['type: publish, topic: a, routing_key: y', /routing_key: only RabbitMQ has routing keys/],
  ['type: publish, topic: a, max_length: 3', /max_length: how much is kept is decided by the topic of Kafka/],
  ['type: publish, exchange: a, key: y', /key: only a message of Kafka has a key/],
  ['type: publish, exchange: "a{{ x }}"', /exchange: the name of an exchange is no template/],
  ['type: publish, exchange: ""', /routing_key: the default exchange needs the name of a queue/],
  ['type: publish, exchange: a, headers: { "cloudEvents_id": y }', /set by the service itself/],
  ['type: publish, subject: a, body: { x: "{% for %}" }', /body\.x: /],
])('%s is refused with its place', (fields, message) => {
  expect(file.told(action(fields), ENV)).toEqual([matching(message)]);
});

test.each([
  ['type: cache, delete: a', /actions\[0\]\.type: cache needs a server: set REDIS_URL/],
  ['type: publish, stream: a', /actions\[0\]\.type: a Redis stream needs a server: set REDIS_URL/],
  ['type: publish, topic: a', /actions\[0\]\.type: a Kafka topic needs a server: set KAFKA_URL/],
  ['type: publish, exchange: a', /actions\[0\]\.type: an exchange of RabbitMQ needs a server: set RABBITMQ_URL/],
  ['type: publish, subject: a', /actions\[0\]\.type: publish needs a server: set NATS_URL/],
])('%s without its server is refused with the line', (fields, message) => {
  expect(file.told(action(fields))).toEqual([matching(message)]);
});

test.each([
  ['NATS_URL', 'http://nats.example'],
  ['NATS_URL', 'nats://a.example,b.example'],
  ['REDIS_URL', 'redis.example:6379'],
  ['KAFKA_URL', 'kafka.example:9092'],
  ['KAFKA_URL', 'kafka://a.example:99999'],
  ['KAFKA_URL', 'kafka://user@a.example'],
  ['KAFKA_URL', 'kafka://u:CANARY@a.example?sasl=gssapi'],
  ['KAFKA_URL', 'kafka://a.example?sasl=plain'],
  ['KAFKA_URL', 'kafka://u:%zz@a.example'],
  ['RABBITMQ_URL', 'http://rabbit.example'],
  ['RABBITMQ_URL', 'amqp://a.example,b.example'],
  ['RABBITMQ_URL', 'amqp://a.example?heartbeat=5'],
])('%s=%s is refused', (variable, value) => {
  expect(file.told('version: 1\n', { [variable]: value })).toEqual([containing(`${variable}: expected`)]);
});

test('the description says what happens to which keys, and no listing shows a password', () => {
  const { file: loaded, settings } = file.load(
    action('type: cache, delete: x, delete_matching: "y:*", set: { key: z, value: v, ttl: 1h } }, { type: publish, subject: s'),
    ENV,
  );
  expect(describeObservers(loaded.definition)[0]?.actions).toEqual([
    'cache: removes x, all of y:* and sets z for 1h in Redis (timeout 10s)',
    'publish: a message to the subject s of NATS (timeout 5s)',
  ]);
  expect(settings.natsUrl).toBe(ENV.NATS_URL);
});

test('the description names topic and exchange, and what may be shown of their URLs has no password', () => {
  const { file: loaded, settings } = file.load(
    action('type: publish, topic: t } }, { type: publish, name: two, exchange: e, routing_key: r').replace('t } },', 't },'),
    ENV,
  );
  expect(describeObservers(loaded.definition)[0]?.actions).toEqual([
    'publish: a message to the topic t of Kafka (timeout 5s)',
    'two: a message to the exchange e of RabbitMQ with the routing key r (timeout 5s)',
  ]);
  expect(SETTINGS.kafkaUrl.show(settings.kafkaUrl)).toBe('kafka+ssl://u:***@kafka.example:9093,two.example?sasl=plain');
  expect(SETTINGS.rabbitmqUrl.show(settings.rabbitmqUrl)).toBe('amqp://u:***@rabbit.example,amqps://u:***@two.example/shop');
});

test.each([
  ['kafka://a', { brokers: [{ host: 'a', port: 9092 }], tls: false, login: null }],
  ['kafka+ssl://u:p%40%2F@a:1,[::1]:2?sasl=plain', { brokers: [{ host: 'a', port: 1 }, { host: '::1', port: 2 }], tls: true, login: { mechanism: 'plain', username: 'u', password: 'p@/' } }],
  ['kafka://u:p@a', { brokers: [{ host: 'a', port: 9092 }], tls: false, login: { mechanism: 'scram-sha-512', username: 'u', password: 'p' } }],
])('%s is understood', (url, address) => expect(kafkaAddress(url)).toEqual(address)); // prettier-ignore
