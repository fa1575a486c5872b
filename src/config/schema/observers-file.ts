import { z } from 'zod';
import { action } from './actions';
import { cached, column, delay, destinationFields, endpointFields, headers, name, url, period } from './parts';
import { fileKey, SETTINGS } from '../settings';
import { TABLE_NAME, TABLE_NAME_EXPECTED } from '../../database/names';

const kind = z.enum(['insert', 'update', 'delete', 'custom']);

const capture = z.strictObject({
  table: z
    .string()
    .regex(TABLE_NAME, TABLE_NAME_EXPECTED)
    .describe('schema.table; a part with blanks, dots, quotes or capitals stands in double quotes: public."Order items"'),
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

const endpoint = z.strictObject({
  url: url.describe('http or https; {{ }} in path and query only'),
  headers: headers.optional(),
  ...endpointFields,
});

const alerts = z
  .strictObject({
    endpoint: z.string().optional().describe('a name under endpoints:'),
    url: url.optional().describe('instead of endpoint'),
    ...endpointFields,
  })
  .describe('where on_failure: alert tells people; a Slack or Mattermost webhook shows its text');

const { timeout, concurrency, allow_addresses, tls, proxy } = destinationFields;
const lookup = z
  .strictObject({
    url: url.describe('GET; may hold {{ }} in path and query; a value that is null or missing means that there is nothing to look up'),
    headers: headers.optional(),
    ttl: cached.optional().describe('how long an answer, also 404, is good; default 1m'),
    stale_for: cached.optional().describe('how much longer it is used while a new one is fetched; default 0ms'),
    timeout: timeout.describe('default 2s'),
    concurrency,
    allow_addresses,
    tls,
    proxy,
  })
  .describe('what more is learnt about an event: {{ lookups.NAME.field }} in conditions and templates');

const retry = z.strictObject({
  strategy: z.enum(['exponential', 'linear', 'fixed', 'schedule']).optional(),
  max_attempts: z.int().min(1).max(1_000).optional().describe('the first one included; default 8'),
  initial_delay: delay.optional().describe('default 1s'),
  max_delay: delay.optional().describe('default 1h'),
  max_elapsed: delay.optional().describe('no try begins later than this after the first; default 3d'),
  schedule: z.array(delay).min(1).max(100).optional().describe('the waits, for strategy: schedule'),
});

const dedup = z
  .strictObject({
    key: z.string().min(1).optional().describe('may hold {{ }}; default: the delivery id, for replays'),
    window: period.describe('from the delivery on, as in 5m'),
    lease: period
      .optional()
      .describe('how long a delivery under way keeps its key when its process dies; default: the longest timeout and 30s'),
  })
  .describe('deliveries of one action with the same key within the window are made once');

const debounce = z
  .strictObject({
    key: z.string().min(1).describe('may hold {{ }}, as in "{{ entity.key }}": changes with the same key become one delivery'),
    wait: delay.describe('after the last change, as in 30s'),
    max_wait: delay.describe('after the first change at the latest, as in 5m: a row that changes all the time is delivered, too'),
  })
  .describe('of changes in quick succession the last one is delivered; {{ event.collapsed }} says how many it stands for');

const observer = z.strictObject({
  name,
  mode: z
    .enum(['live', 'shadow'])
    .optional()
    .describe('shadow: it matches and renders, records what it would have sent, and never sends; default live'),
  entity: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).describe('one, a list, or "*"'),
  on: z
    .union([kind, z.array(kind).min(1)])
    .optional()
    .describe('default: all'),
  columns: z.array(column).min(1).optional().describe('of updates only those that changed one of these; other kinds are not narrowed'),
  ignore_unchanged: z.boolean().optional().describe('updates that change nothing match no observer; default true'),
  when: z.string().optional().describe('a condition; default: every event'),
  lookups: z.array(name).min(1).optional().describe('names under lookups: that the condition and the actions use'),
  strict_templates: z.boolean().optional().describe("default: the file's"),
  ordering: z
    .enum(['none', 'strict'])
    .optional()
    .describe(
      'strict: what fails holds up what comes after it of the same entity, until it is delivered or a person decides; default none',
    ),
  on_failure: z
    .enum(['dlq', 'log', 'alert'])
    .optional()
    .describe('of what has failed for good: a dead letter (default), a line in the log alone, or a dead letter and an alert'),
  dedup: dedup.optional(),
  delay: delay.optional().describe('deliveries go so long after the change, as in 24h'),
  deliver_at: z.string().min(1).optional().describe('deliveries go at this time, as in "{{ data.due_at }}"; a time in the past is now'),
  debounce: debounce.optional(),
  cancel_when: z
    .string()
    .min(1)
    .optional()
    .describe('a condition: a later change of the entity that meets it cancels what waits by delay, deliver_at or debounce'),
  retry: retry.optional(),
  actions: z.array(action).min(1),
});

const settings = z.strictObject(
  Object.fromEntries(
    Object.values(SETTINGS).map(({ variable, description }) => [
      fileKey(variable),
      z.union([z.string(), z.number(), z.boolean()]).optional().describe(description),
    ]),
  ),
);

/** The shape of `observers.yaml`. What depends on more than one place is checked in `link.ts`. */
export const OBSERVERS_FILE = z.strictObject({
  version: z.literal(1),
  settings: settings.optional(),
  capture: z.array(capture).optional(),
  endpoints: z.record(z.string(), endpoint).optional(),
  alerts: alerts.optional(),
  lookups: z.record(z.string(), lookup).optional(),
  strict_templates: z
    .boolean()
    .optional()
    .describe('of all observers: a path that leads nowhere fails the delivery, and validate-config --database refuses it; default false'),
  observers: z.array(observer).optional(),
});

export type ObserversFileShape = z.infer<typeof OBSERVERS_FILE>;
export type CaptureShape = z.infer<typeof capture>;
export type EndpointShape = z.infer<typeof endpoint>;
export type LookupShape = z.infer<typeof lookup>;
export type ObserverShape = z.infer<typeof observer>;

/** The text of `observers.schema.json`, for editors. */
export function jsonSchema(): string {
  const schema = z.toJSONSchema(OBSERVERS_FILE, { target: 'draft-2020-12', io: 'input' });
  return `${JSON.stringify({ ...schema, title: 'fraiseql-observers observers file' }, null, 2)}\n`;
}

/** In the design, and not in this version: refused by name, so that nobody takes silence for consent. */
export const LATER_VALUES: Readonly<Record<string, readonly string[]>> = {
  execution: ['queued'],
};
