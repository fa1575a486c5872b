import { z } from 'zod';
import { TABLE_NAME } from '../../database/names';
import { batchWindow, delay, destinationFields, endpointFields, headers, name, period, timeout, url } from './parts';

const common = { name: name.optional().describe('default: the type'), execution: z.literal('inline').optional() };
const body = z.union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())]);

const batch = z.strictObject({
  max: z.int().min(1).max(1_000).optional().describe('deliveries in one request at most; default 100'),
  within: batchWindow.optional().describe('how long the first waits for others; default 50ms'),
});

const webhook = z.strictObject({
  ...common,
  type: z.literal('webhook'),
  endpoint: z.string().optional().describe('a name under endpoints:'),
  url: url.optional().describe('instead of endpoint'),
  ...endpointFields,
  method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']).optional().describe('default POST'),
  headers: headers.optional(),
  body: body.optional().describe('default: the envelope'),
  batch: batch.optional().describe('deliveries go as one request, whose body is a JSON array'),
});

const slack = z.strictObject({
  ...common,
  type: z.literal('slack'),
  endpoint: z.string().optional().describe('a name under endpoints:, whose url is that of a Slack incoming webhook'),
  url: url.optional().describe('instead of endpoint: the URL of the incoming webhook'),
  ...destinationFields,
  text: z.string().min(1).describe("mrkdwn; values cannot mention or link, for Slack's control characters are escaped in them"),
  blocks: z.array(z.record(z.string(), z.unknown())).min(1).max(50).optional().describe('Block Kit'),
});

const address = z.string().min(1, 'expected an address');
const addresses = z.union([address, z.array(address).min(1).max(100)]);
const email = z.strictObject({
  ...common,
  type: z.literal('email'),
  from: address.optional().describe('default: OBSERVERS_MAIL_FROM'),
  to: addresses.describe('addresses, or a list of them; a value is a name, a part of an address, or one address'),
  cc: addresses.optional(),
  bcc: addresses.optional(),
  reply_to: address.optional(),
  subject: z.string().min(1),
  text: z.string().optional().describe('at least one of text and html'),
  html: z.string().optional().describe('values are escaped'),
  timeout: timeout.optional().describe('from dialling to the last reply; default 30s'),
});

const sms = z.strictObject({
  ...common,
  type: z.literal('sms'),
  to: z.string().min(1).describe('one number such as +15551234567'),
  from: z.string().min(1).optional().describe('a number, a name, or a messaging service (MG…); default: OBSERVERS_SMS_FROM'),
  text: z.string().min(1).describe('1600 characters at most, once it is rendered'),
  timeout: timeout.optional().describe('default 10s'),
});

const push = z.strictObject({
  ...common,
  type: z.literal('push'),
  token: z.string().min(1).optional().describe("Firebase: a device's registration token"),
  topic: z.string().min(1).optional().describe('Firebase: all devices that have subscribed to it'),
  condition: z.string().min(1).optional().describe("Firebase: of topics, such as 'a' in topics && 'b' in topics"),
  subscription: z.string().min(1).optional().describe('Web Push: what the browser gave out, as in {{ data.subscription | json }}'),
  notification: z
    .strictObject({ title: z.string().optional(), body: z.string().optional(), image: z.string().optional() })
    .optional()
    .describe('what is shown'),
  data: z.record(z.string(), z.string()).optional().describe('for the app; at least one of notification and data'),
  ttl: delay.optional().describe('how long it is kept for a device that is away'),
  urgency: z.enum(['very-low', 'low', 'normal', 'high']).optional().describe('Web Push; default normal'),
  allow_addresses: destinationFields.allow_addresses,
  timeout: timeout.optional().describe('default 10s'),
});

const text = z.string().min(1, 'expected a text');
const texts = z.union([text, z.array(text).min(1).max(100)]);
const cache = z.strictObject({
  ...common,
  type: z.literal('cache'),
  delete: texts.optional().describe('a key, or a list of keys, such as order:{{ entity.key }}'),
  delete_matching: texts
    .optional()
    .describe(
      "patterns of Redis, such as orders:{{ data.customer_id }}:*; values stand for themselves, and all of the server's keys are looked through",
    ),
  set: z
    .strictObject({
      key: text,
      value: body.describe('a text, or a structure that becomes JSON'),
      ttl: period.optional().describe('default: for good'),
    })
    .optional()
    .describe('an older change never overwrites a newer one; a deleted row removes the key'),
  timeout: timeout.optional().describe('default 10s'),
});

const publish = z.strictObject({
  ...common,
  type: z.literal('publish'),
  subject: text.optional().describe('NATS JetStream: a subject, such as orders.{{ entity.key }}, that a stream takes'),
  stream: text.optional().describe('Redis: the key of a stream'),
  max_length: z.int().min(1).optional().describe('Redis: about so many entries are kept; default: all'),
  topic: text.optional().describe('Kafka: a topic; no template'),
  key: text.optional().describe('Kafka: messages with the same key stay in order; default: {{ entity.type }}/{{ entity.key }}'),
  exchange: z
    .string()
    .optional()
    .describe('RabbitMQ: an exchange that is there; no template; empty for the default exchange, whose routing keys are names of queues'),
  routing_key: z.string().optional().describe('RabbitMQ: such as orders.{{ entity.key }}; default: empty'),
  headers: headers.optional().describe('NATS JetStream, Kafka and RabbitMQ'),
  body: body.optional().describe('default: the envelope'),
  timeout: timeout.optional().describe('default 5s'),
});

const database = z.strictObject({
  ...common,
  type: z.literal('database'),
  function: z
    .string()
    .regex(TABLE_NAME, 'expected schema.function, such as public.on_order or public."a name with blanks"')
    .describe('schema.function in the database of the service; it takes the envelope as its one argument (json, jsonb or text)'),
  timeout: timeout.optional().describe('of the call; default 10s'),
});

const custom = z.strictObject({
  ...common,
  type: z.literal('custom'),
  handler: z.string().min(1).describe('the name that a provider in a module of OBSERVERS_MODULES has by @CustomAction'),
  with: z.record(z.string(), z.unknown()).optional().describe('its options'),
  timeout: timeout.optional().describe('default 10s'),
  concurrency: destinationFields.concurrency,
  rate_limit: destinationFields.rate_limit,
  circuit_breaker: destinationFields.circuit_breaker,
});

const search = z.strictObject({
  ...common,
  type: z.literal('search'),
  index: z.string().min(1).describe('an index or an alias; no template'),
  id: z.string().min(1).optional().describe('of the document; default {{ entity.key }}'),
  operation: z
    .enum(['auto', 'index', 'update', 'delete'])
    .optional()
    .describe('default auto: a deletion deletes, everything else writes the whole document; update merges into what is there'),
  document: z
    .union([z.string(), z.record(z.string(), z.unknown())])
    .optional()
    .describe('default: the row, its numbers exact'),
  routing: z.string().min(1).optional().describe('which shard; default: by the id'),
  timeout: timeout.optional().describe('from dialling to the last byte of the answer; default 10s'),
});

const log = z.strictObject({
  ...common,
  type: z.literal('log'),
  level: z.enum(['debug', 'info', 'warn', 'error']).optional().describe('default info'),
  message: z.string().optional(),
});

export const action = z.discriminatedUnion('type', [webhook, slack, email, sms, push, search, cache, publish, database, custom, log]);

export type ActionShape = z.infer<typeof action>;
export type WebhookShape = z.infer<typeof webhook>;
export type SlackShape = z.infer<typeof slack>;
export type PushShape = z.infer<typeof push>;
export type SmsShape = z.infer<typeof sms>;
export type CacheShape = z.infer<typeof cache>;
export type CustomShape = z.infer<typeof custom>;
export type PublishShape = z.infer<typeof publish>;
export type SearchShape = z.infer<typeof search>;
export type EmailShape = z.infer<typeof email>;

export const ACTION_TYPES: readonly string[] = action.options.map(({ shape }) => shape.type.value);
