import { z } from 'zod';
import { fileKey, SETTINGS } from './settings';
import { DURATION, parseDuration } from './units';

// What an error should say lies in the messages; `describe` is what editors show.
const anyDuration = z.string().regex(DURATION, 'expected a duration such as 250ms, 10s, 5m, 1h or 3d');
// A delay becomes a date: it must stay one that PostgreSQL can hold.
const delay = anyDuration.refine((text) => within(text, '0ms', '365d'), 'expected a duration of at most 365d');
// A timeout becomes a timer: one of more than 24.8 days would run out at once.
const timeout = anyDuration.refine((text) => within(text, '1ms', '1h'), 'expected a duration from 1ms to 1h');
export const NAME = /^[\w.-]{1,100}$/;
export const NAME_EXPECTED = 'expected a name of letters, digits, "-", "_" and "."';
const name = z.string().regex(NAME, NAME_EXPECTED);
const column = z.string().min(1, 'expected the name of a column');
const url = z.string().min(1, 'expected a URL');
const headers = z.record(z.string(), z.string());
const concurrency = z.int().min(1).max(1_000);
const signing = z.strictObject({
  secrets: z.array(z.string()).min(1).describe('whsec_…; the first is current, all sign during a rotation'),
});
const allowAddresses = z
  .array(z.string())
  .describe('CIDR blocks, addresses, host names, private or loopback; public addresses are always allowed');

const kind = z.enum(['insert', 'update', 'delete', 'custom']);

const capture = z.strictObject({
  table: z
    .string()
    .regex(/^[^.\s]+\.[^.\s]+$/, 'expected schema.table, such as public.orders')
    .describe('schema.table'),
  entity: z.string().min(1).optional().describe("the entity's name for observers; default: the table's name"),
  key: z.array(column).min(1).optional().describe('the columns that identify a row; default: the primary key'),
  before: z.boolean().optional().describe('record the row as it was before an update; default true'),
  tenant: column.optional().describe('a uuid column'),
  columns: z
    .strictObject({
      include: z.array(column).min(1).optional().describe('only these'),
      exclude: z.array(column).optional().describe('these do not exist for observers'),
      mask: z
        .record(z.string(), z.enum(['hash', 'drop']))
        .optional()
        .describe('hash: a salted SHA-256; drop: no value, but its change is named'),
    })
    .optional(),
  when: z.string().min(1).optional().describe('SQL over the row; only rows for which it holds are recorded'),
  strict: z.boolean().optional().describe("fail the user's write when its change cannot be recorded whole; default false"),
});

const endpointFields = {
  signing: signing.optional(),
  timeout: timeout.optional().describe('from dialling to the last byte of the answer; default 10s'),
  concurrency: concurrency.optional().describe('requests under way at once; default 32'),
  allow_addresses: allowAddresses.optional(),
};

const endpoint = z.strictObject({
  url: url.describe('http or https; {{ }} in path and query only'),
  headers: headers.optional(),
  ...endpointFields,
});

const retry = z.strictObject({
  strategy: z.enum(['exponential', 'linear', 'fixed', 'schedule']).optional(),
  max_attempts: z.int().min(1).max(1_000).optional().describe('the first one included; default 8'),
  initial_delay: delay.optional().describe('default 1s'),
  max_delay: delay.optional().describe('default 1h'),
  max_elapsed: delay.optional().describe('no try begins later than this after the first; default 3d'),
  schedule: z.array(delay).min(1).max(100).optional().describe('the waits, for strategy: schedule'),
});

const common = { name: name.optional().describe('default: the type'), execution: z.literal('inline').optional() };
const body = z.union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())]);

const webhook = z.strictObject({
  ...common,
  type: z.literal('webhook'),
  endpoint: z.string().optional().describe('a name under endpoints:'),
  url: url.optional().describe('instead of endpoint'),
  ...endpointFields,
  method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']).optional().describe('default POST'),
  headers: headers.optional(),
  body: body.optional().describe('default: the envelope'),
});

const slack = z.strictObject({
  ...common,
  type: z.literal('slack'),
  endpoint: z.string().optional().describe('a name under endpoints:, whose url is that of a Slack incoming webhook'),
  url: url.optional().describe('instead of endpoint: the URL of the incoming webhook'),
  timeout: endpointFields.timeout,
  concurrency: endpointFields.concurrency,
  allow_addresses: endpointFields.allow_addresses,
  text: z.string().min(1).describe("mrkdwn; values cannot mention or link, for Slack's control characters are escaped in them"),
  blocks: z.array(z.record(z.string(), z.unknown())).min(1).max(50).optional().describe('Block Kit'),
});

const address = z.string().min(1, 'expected an address');
const addresses = z.union([address, z.array(address).min(1).max(100)]);
const email = z.strictObject({
  ...common,
  type: z.literal('email'),
  from: address.optional().describe('default: OBSERVERS_MAIL_FROM'),
  to: addresses.describe('one address, or a list; a value that holds two is refused'),
  cc: addresses.optional(),
  bcc: addresses.optional(),
  reply_to: address.optional(),
  subject: z.string().min(1),
  text: z.string().optional().describe('at least one of text and html'),
  html: z.string().optional().describe('values are escaped'),
  timeout: timeout.optional().describe('from dialling to the last reply; default 30s'),
});

const database = z.strictObject({
  ...common,
  type: z.literal('database'),
  function: z
    .string()
    .regex(/^[^.\s"]+\.[^.\s"]+$/, 'expected schema.function, such as public.on_order')
    .describe('schema.function in the database of the service; it takes the envelope as its one argument (json, jsonb or text)'),
  timeout: timeout.optional().describe('of the call; default 10s'),
});

const log = z.strictObject({
  ...common,
  type: z.literal('log'),
  level: z.enum(['debug', 'info', 'warn', 'error']).optional().describe('default info'),
  message: z.string().optional(),
});

const observer = z.strictObject({
  name,
  entity: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).describe('one, a list, or "*"'),
  on: z
    .union([kind, z.array(kind).min(1)])
    .optional()
    .describe('default: all'),
  when: z.string().optional().describe('a condition; default: every event'),
  ordering: z.literal('none').optional(),
  on_failure: z.literal('dlq').optional(),
  retry: retry.optional(),
  actions: z.array(z.discriminatedUnion('type', [webhook, slack, email, database, log])).min(1),
});

const settings = z.strictObject(
  Object.fromEntries(
    Object.values(SETTINGS).map(({ variable, description }) => [
      fileKey(variable),
      z.union([z.string(), z.number()]).optional().describe(description),
    ]),
  ),
);

/** The shape of `observers.yaml`. What depends on more than one place is checked in `link.ts`. */
export const OBSERVERS_FILE = z.strictObject({
  version: z.literal(1),
  settings: settings.optional(),
  capture: z.array(capture).optional(),
  endpoints: z.record(z.string(), endpoint).optional(),
  observers: z.array(observer).optional(),
});

/** Texts that are no duration pass: another check speaks of them. */
function within(text: string, least: string, most: string): boolean {
  const written = parseDuration(text);
  return written === null || (written >= (parseDuration(least) ?? 0) && written <= (parseDuration(most) ?? 0));
}

export type ObserversFileShape = z.infer<typeof OBSERVERS_FILE>;
export type CaptureShape = z.infer<typeof capture>;
export type EndpointShape = z.infer<typeof endpoint>;
export type ObserverShape = z.infer<typeof observer>;
export type ActionShape = ObserverShape['actions'][number];
export type WebhookShape = z.infer<typeof webhook>;
export type SlackShape = z.infer<typeof slack>;
export type EmailShape = z.infer<typeof email>;
export const ACTION_TYPES = ['webhook', 'slack', 'email', 'database', 'log'];

/** The text of `observers.schema.json`, for editors. */
export function jsonSchema(): string {
  const schema = z.toJSONSchema(OBSERVERS_FILE, { target: 'draft-2020-12', io: 'input' });
  return `${JSON.stringify({ ...schema, title: 'fraiseql-observers observers file' }, null, 2)}\n`;
}

/** In the design, and not in this version: refused by name, so that nobody takes silence for consent. */
export const LATER_KEYS = ['lookups', 'rate_limit', 'circuit_breaker', 'tls', 'proxy', 'batch', 'dedup', 'mode', 'watch'];
export const LATER_ACTIONS = ['sms', 'push', 'search', 'cache', 'publish', 'custom'];
export const LATER_VALUES: Readonly<Record<string, readonly string[]>> = {
  ordering: ['strict'],
  on_failure: ['log', 'alert'],
  execution: ['queued'],
};
