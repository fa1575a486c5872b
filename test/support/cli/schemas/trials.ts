import { z } from 'zod';
import type { PreviewResult } from '../../../../src/cli/dry-run/preview-run';
import type { TestRun } from '../../../../src/cli/dry-run/test-run';
import type { ShownDelivery } from '../../../../src/dry-run/renderer';
import { condition, event, VERDICTS } from './explained';
import { count, kind, maybe, mode, text, time } from './values';

// What is told of events that are only tried: test-event, preview and the sample of a backfill.

const headers = z.array(z.tuple([text, text]));
const content: z.ZodType<NonNullable<ShownDelivery['content']>> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('http'), method: text, url: text, headers, body: maybe }),
  z.strictObject({
    type: z.literal('email'),
    messageId: text,
    from: text,
    to: z.array(text),
    cc: z.array(text),
    bcc: z.array(text),
    replyTo: maybe,
    subject: text,
    text: maybe,
    html: maybe,
  }),
  z.strictObject({
    type: z.literal('search'),
    operation: z.enum(['index', 'update', 'delete']),
    index: text,
    id: text,
    routing: maybe,
    version: count,
    document: maybe,
  }),
  z.strictObject({
    type: z.literal('cache'),
    delete: z.array(text),
    deleteMatching: z.array(text),
    set: z.strictObject({ key: text, value: maybe, ttl: count.nullable() }).nullable(),
  }),
  z.strictObject({ type: z.literal('nats'), subject: text, headers, body: text }),
  z.strictObject({ type: z.literal('kafka'), topic: text, key: text, headers, body: text }),
  z.strictObject({ type: z.literal('rabbitmq'), exchange: text, routingKey: text, headers, body: text }),
  z.strictObject({ type: z.literal('redis stream'), stream: text, fields: headers }),
  z.strictObject({ type: z.literal('database'), function: text, argument: text }),
  z.strictObject({ type: z.literal('log'), level: text, message: text, fields: z.record(z.string(), text) }),
  z.strictObject({ type: z.literal('custom'), handler: text, rendered: z.unknown() }),
]);
const shown: z.ZodType<ShownDelivery> = z.strictObject({
  action: text,
  type: z.enum(['webhook', 'slack', 'email', 'sms', 'push', 'search', 'cache', 'database', 'publish', 'log', 'custom']),
  endpoint: text,
  content: content.nullable(),
  payload: z.strictObject({ bytes: count, sha256: text }).nullable(),
  missing: z.array(text),
  fromLookups: z.array(text),
  notes: z.array(text),
  problem: maybe,
});
const lookup = z.strictObject({
  name: text,
  state: z.enum(['not asked', 'nothing to ask', 'found', 'nothing found', 'failed']),
  url: maybe,
  found: z.json(),
  why: maybe,
});
export const trial = z.strictObject({
  name: text,
  mode,
  verdict: z.enum([...VERDICTS, 'lookup failed']),
  why: text,
  condition: condition.nullable(),
  lookups: z.array(lookup),
  deliveries: z.array(shown),
});
const sent = z.strictObject({
  observer: text,
  action: text,
  id: z.uuid(),
  ok: z.boolean(),
  status: count.nullable(),
  error: maybe,
  message: maybe,
  response: maybe,
});
export const testRun: z.ZodType<Omit<TestRun, 'event'>> = z.strictObject({
  event,
  observers: z.array(trial),
  notes: z.array(text),
  sent: z.array(sent).nullable(),
});
export const testSample = z.strictObject({
  entity: z.union([text, z.strictObject({ type: text, key: text })]),
  key: text.optional(),
  kind,
  data: z.json(),
  before: z.json(),
  tenant: maybe.optional(),
});
const examples = { count, events: z.array(z.uuid()) };
const trouble = z.strictObject({ ...examples, action: text, what: text });
export const preview: z.ZodType<PreviewResult> = z.strictObject({
  file: text,
  version: count.nullable(),
  notes: z.array(text),
  events: count,
  unreadable: count,
  from: time.nullable(),
  to: time.nullable(),
  observers: z.array(
    z.strictObject({
      name: text,
      is: z.enum(['new', 'kept', 'removed']),
      mode,
      matched: count,
      noAnswer: z.strictObject({ ...examples, error: maybe }),
      undecided: count,
      loops: count,
      difference: z
        .strictObject({ newlyMatched: z.strictObject(examples), noLongerMatched: z.strictObject(examples), unknown: count })
        .nullable(),
      lookups: z.array(text),
      deliveries: count,
      failing: z.array(trouble),
      missing: z.array(trouble),
      hottest: z.array(z.strictObject({ key: text, count, atMost: count })),
      sample: z.strictObject({ event: z.uuid(), entity: text, deliveries: z.array(shown) }).nullable(),
    }),
  ),
  endpoints: z.array(
    z.strictObject({
      endpoint: text,
      deliveries: count,
      perHour: z.number(),
      busiestHour: z.strictObject({ from: time, deliveries: count }),
      rateLimit: z.strictObject({ count, per: count }).nullable(),
      peak: z.strictObject({ from: time, span: count, deliveries: count }),
      overLimit: z.boolean(),
    }),
  ),
});
