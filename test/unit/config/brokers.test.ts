import { describeObservers } from '../../../src/config/describe';
import { ConfigFile } from './config-file';
import { containing, matching } from '../../support/texts';

const file = new ConfigFile();
afterAll(() => file.remove());

const ENV = { REDIS_URL: 'redis://:CANARY@redis.example', NATS_URL: 'nats://CANARY@nats.example,nats://u:CANARY@two.example' };
const action = (fields: string): string => `version: 1\nobservers:\n  - { name: a, entity: "*", actions: [{ ${fields} }] }\n`;

test.each([
  ['type: cache', /actions\[0\]: give delete, delete_matching or set/],
  ['type: cache, delete_matching: "*"', /delete_matching: it would remove every key/],
  ['type: cache, delete: ["a", "{{ x"]', /delete\[1\]: /],
  ['type: cache, set: { key: a, value: { b: "{{ event.colour }}" } }', /set\.value\.b: event has no "colour"/],
  ['type: cache, set: { key: a, value: b, ttl: 10ms }', /set\.ttl: expected a duration from 1s to 30d/],
  ['type: publish', /give subject \(NATS JetStream\) or stream \(Redis\), one of them/],
  ['type: publish, subject: a, stream: b', /one of them/],
  ['type: publish, subject: "orders.*"', /subject: a subject to publish to holds no blank/],
  ['type: publish, subject: "orders..{{ entity.key }}"', /no empty part/],
  ['type: publish, subject: "$JS.API"', /belong to the server/],
  ['type: publish, subject: a, max_length: 3', /max_length: how much is kept is decided by the stream of NATS/],
  ['type: publish, stream: a, headers: { x: y }', /headers: an entry of a Redis stream has no headers/],
  ['type: publish, subject: a, headers: { Nats-Msg-Id: y }', /set by the service itself/],
  ['type: publish, subject: a, body: { x: "{% for %}" }', /body\.x: /],
])('%s is refused with its place', (fields, message) => {
  expect(file.told(action(fields), ENV)).toEqual([matching(message)]);
});

test.each([
  ['type: cache, delete: a', /actions\[0\]\.type: cache needs a server: set REDIS_URL/],
  ['type: publish, stream: a', /actions\[0\]\.type: a Redis stream needs a server: set REDIS_URL/],
  ['type: publish, subject: a', /actions\[0\]\.type: publish needs a server: set NATS_URL/],
])('%s without its server is refused with the line', (fields, message) => {
  expect(file.told(action(fields))).toEqual([matching(message)]);
});

test.each([
  ['NATS_URL', 'http://nats.example'],
  ['NATS_URL', 'nats://a.example,b.example'],
  ['REDIS_URL', 'redis.example:6379'],
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
