import { z } from 'zod';
import type { Audit } from '../../../src/audit/verify';
import type { PerformedBackfill } from '../../../src/cli/backfill/perform';
import type { BackfillPreview } from '../../../src/cli/backfill/preview';
import type { PreviewResult } from '../../../src/cli/dry-run/preview-run';
import type { TestRun } from '../../../src/cli/dry-run/test-run';
import type { UnaccountedDelivery } from '../../../src/audit/unaccounted.sql';
import type { RecordedVersion } from '../../../src/config/config-version.sql';
import type { ObserverDescription, SettingDescription } from '../../../src/config/describe';
import type { Problem } from '../../../src/config/problems';
import type { DeadLetterDetails, DeadLetterGroup, DeadLetterItem } from '../../../src/redrive/dead-letters.sql';
import type { CaptureDrift } from '../../../src/status/capture-drift';
import type { EndpointState } from '../../../src/resilience/endpoint-state';
import type { ListenerStatus } from '../../../src/status/status-detail.sql';
import type { Detailed } from '../../../src/cli/status/detail';
import type { InstanceState } from '../../../src/cli/status/live';
import type { TailEntry } from '../../../src/status/tail.sql';
import type { ShownDelivery } from '../../../src/dry-run/renderer';
import type { SearchResult } from '../../../src/search/audit-trail';
import type { Place, RecordedReset, StoredCheckpoint } from '../../../src/checkpoint/checkpoint-reset.sql';
import type { HeldLane } from '../../../src/redrive/lane-repair.sql';
import type { StreamStatus } from '../../../src/status/status.sql';
import type { Finding } from '../../../src/doctor/finding';
import type { EventExplanation } from '../../../src/explain/explain';
import type { RolesPlan } from '../../../src/database/roles/plan';
import { ROLES } from '../../../src/database/roles/rights';
import type { BackfillRecord } from '../../../src/backfill/backfill.sql';
import type { CapturePlan } from '../../../src/change-log/capture/capture';
import type { Explanation } from '../../../src/matching/condition/condition';
import type { MetricsSummary } from '../../../src/cli/metrics/summary';

// What `--format json` gives, by command. Each schema is held against the type of the program that it describes, so that a field that comes
// or goes does not compile, and against real outputs, strictly.
const text = z.string();
const maybe = text.nullable();
const count = z.int().min(0);
const time = z.iso.datetime({ offset: true });
const kind = z.enum(['insert', 'update', 'delete', 'custom', 'backfill']);

const problem: z.ZodType<Problem> = z.strictObject({ file: text, line: count, column: count, path: text, message: text });
const observer: z.ZodType<ObserverDescription> = z.strictObject({
  name: text,
  entities: text,
  on: text,
  when: text,
  actions: z.array(text),
  retry: text,
});
const setting: z.ZodType<SettingDescription> = z.strictObject({
  variable: text,
  value: text,
  origin: z.enum(['default', 'file', 'environment', 'flag']),
  description: text,
});
const version: z.ZodType<RecordedVersion> = z.strictObject({
  version: count,
  source: text,
  recordedAt: time,
  by: text,
  ledFrom: time.nullable(),
  current: z.boolean(),
});
const captureFields = {
  table: text,
  entity: maybe,
  state: z.enum(['current', 'missing', 'drifted', 'unwanted', 'impossible']),
  reasons: z.array(text),
};
const capturePlan: z.ZodType<CapturePlan> = z.strictObject({ ...captureFields, sql: z.array(text) });
const rolesPlan: z.ZodType<RolesPlan> = z.strictObject({
  sql: z.array(text),
  excess: z.array(z.strictObject({ what: text, repair: text })),
  missing: z.array(z.enum(ROLES)),
});

const breaker = z.strictObject({ state: z.enum(['open', 'half-open']), probeIn: z.number(), requests: count, failures: count });
const endpoint: z.ZodType<EndpointState> = z.strictObject({ name: text, waiting: count, breaker: breaker.nullable() });
const auditWord = z.strictObject({ unaccounted: count, ageSeconds: z.number().nullable() }).nullable();
const listener = z.strictObject({
  id: text,
  version: text,
  address: maybe,
  alive: z.boolean(),
  inFlight: count,
  endpoints: z.array(endpoint),
});
const captureDrift: z.ZodType<CaptureDrift> = z.strictObject({
  table: text,
  entity: maybe,
  state: z.enum(['missing', 'drifted', 'unwanted', 'impossible']),
  reasons: z.array(text),
  since: time,
});
const statusFields = {
  stream: text,
  leader: z.strictObject({ holder: text, epoch: count, since: time, alive: z.boolean() }).nullable(),
  listeners: z.array(listener),
  lag: z.strictObject({ events: count, seconds: z.number() }),
  checkpointAgeSeconds: z.number().nullable(),
  queued: count,
  running: count,
  retrying: count,
  parked: count,
  waiting: count,
  paused: count,
  pausedObservers: z.array(z.strictObject({ observer: text, since: time, by: text })),
  dead: count,
  quarantined: count,
  gone: z.array(z.strictObject({ endpoint: text, since: time })),
  captureDrift: z.array(captureDrift).nullable(),
  audit: auditWord,
  backfills: z.array(
    z.strictObject({ id: text, table: text, observers: z.array(text), done: count, expected: count.nullable(), running: z.boolean() }),
  ),
  oldestTransaction: z.strictObject({ pid: count, user: text, seconds: z.number() }).nullable(),
};
export const status: z.ZodType<StreamStatus> = z.strictObject(statusFields);

const finding: z.ZodType<Finding> = z.strictObject({
  check: text,
  state: z.enum(['ok', 'warning', 'problem', 'unknown']),
  message: text,
  repair: maybe,
});

const condition: z.ZodType<Explanation> = z.strictObject({
  text,
  value: text,
  note: maybe,
  get children(): z.ZodType<readonly Explanation[]> {
    return z.array(condition);
  },
});
const attempt = z.strictObject({
  observer: text,
  action: text,
  attempt: count,
  outcome: z.enum(['succeeded', 'skipped', 'retry', 'dead']),
  error: maybe,
  message: maybe,
  status: count.nullable(),
  response: maybe,
  durationMs: z.number(),
  finishedAt: time,
  configVersion: count,
});
const explainedDelivery = z.strictObject({
  id: z.uuid(),
  action: text,
  type: maybe,
  state: z.enum([
    'delivered',
    'skipped',
    'dead',
    'discarded',
    'logged',
    'queued',
    'running',
    'retrying',
    'waiting',
    'parked',
    'paused',
    'not begun',
    'forgotten',
    'unaccounted',
    'shadow',
    'passed over',
  ]),
  why: text,
  nextTryAt: time.nullable(),
  attempts: z.array(attempt),
});
const explainedObserver = z.strictObject({
  name: text,
  verdict: z.enum([
    'matched',
    'other entity',
    'other kind',
    'nothing changed',
    'other columns',
    'not named',
    'condition not met',
    'no answer',
    'undecided',
    'not in this configuration',
  ]),
  why: text,
  condition: condition.nullable(),
  deliveries: z.array(explainedDelivery),
});
const event = z.strictObject({
  id: z.uuid(),
  entityType: text,
  entityKey: text,
  kind,
  tenant: maybe,
  timestamp: time,
  changed: z.array(text).nullable(),
  traceparent: maybe,
  tracestate: maybe,
  cause: maybe,
  backfill: z.strictObject({ id: text, observers: z.array(text) }).nullable(),
  data: z.json(),
  before: z.json(),
});
const explained: z.ZodType<Omit<EventExplanation, 'event'>> = z.strictObject({
  changeNumber: count,
  event: event.nullable(),
  state: z.enum(['processed', 'passed over', 'waiting', 'quarantined', 'ignored', 'history']),
  why: text,
  version: count.nullable(),
  observers: z.array(explainedObserver),
  notes: z.array(text),
});

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
const mode = z.enum(['live', 'shadow']);
const trial = z.strictObject({
  name: text,
  mode,
  verdict: z.enum([
    'matched',
    'other entity',
    'other kind',
    'nothing changed',
    'other columns',
    'not named',
    'condition not met',
    'no answer',
    'undecided',
    'lookup failed',
  ]),
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
const testRun: z.ZodType<Omit<TestRun, 'event'>> = z.strictObject({
  event,
  observers: z.array(trial),
  notes: z.array(text),
  sent: z.array(sent).nullable(),
});
const testSample = z.strictObject({
  entity: z.union([text, z.strictObject({ type: text, key: text })]),
  key: text.optional(),
  kind,
  data: z.json(),
  before: z.json(),
  tenant: maybe.optional(),
});

const examples = { count, events: z.array(z.uuid()) };
const trouble = z.strictObject({ ...examples, action: text, what: text });
const preview: z.ZodType<PreviewResult> = z.strictObject({
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

const tailed: z.ZodType<TailEntry> = z.strictObject({
  kind: z.enum(['event', 'attempt', 'dead letter', 'quarantine']),
  at: time,
  change: count,
  event: maybe,
  entityType: maybe,
  entityKey: maybe,
  operation: maybe,
  observer: maybe,
  action: maybe,
  attempt: count.nullable(),
  outcome: z.enum(['succeeded', 'retry', 'dead', 'skipped', 'quarantined', 'discarded']).nullable(),
  error: maybe,
  message: maybe,
  status: count.nullable(),
  durationMs: z.number().nullable(),
  configVersion: count.nullable(),
});
const found: z.ZodType<SearchResult> = z.strictObject({
  found: z.array(
    z.strictObject({
      change: count,
      event: z.uuid(),
      entityType: text,
      entityKey: maybe,
      kind: text,
      written: time,
      foundIn: z.array(z.enum(['entity', 'event', 'change', 'data', 'before', 'error'])),
      excerpt: maybe,
    }),
  ),
  ended: z.enum(['limit', 'time', 'end']),
  looked: count,
  reached: z.strictObject({ change: count, written: time }).nullable(),
  note: text,
});

const place = { previous: text, target: maybe, after: count };
const checkpoint: z.ZodType<StoredCheckpoint> = z.strictObject({
  ...place,
  state: z.enum(['sound', 'foreign', 'ahead']),
  epoch: count,
  movedAt: time,
  systemIdentifier: text,
});
const recordedReset: z.ZodType<RecordedReset> = z.strictObject({
  at: time,
  by: text,
  reason: maybe,
  asked: text,
  foreign: z.boolean(),
  skipped: count,
  readAgain: count,
});
const checkpointShown: z.ZodType<Place> = z.strictObject({
  stream: text,
  checkpoint: checkpoint.nullable(),
  systemIdentifier: text,
  now: text,
  leader: maybe,
  resets: z.array(recordedReset),
});
const reset = z.strictObject({
  performed: z.boolean(),
  stream: text,
  to: text,
  state: z.enum(['none', 'sound', 'foreign', 'ahead']),
  skipped: count,
  readAgain: count,
  onRecord: count,
  forgotten: count,
  from: checkpoint.nullable(),
  cursor: z.strictObject(place),
});

const counts = { queued: count, running: count, retrying: count, waiting: count, parked: count, paused: count };
const instance: z.ZodType<InstanceState> = z.strictObject({
  source: z.enum(['live', 'heartbeat']),
  age: z.number(),
  inFlight: count,
  breakers: z.record(z.string(), z.enum(['half-open', 'open'])).nullable(),
});
const listenerFields = {
  id: text,
  stream: text,
  host: text,
  pid: count,
  version: text,
  address: maybe,
  startedAt: time,
  heartbeatAgeSeconds: z.number(),
  alive: z.boolean(),
  leads: z.boolean(),
  epoch: count.nullable(),
  inFlight: count,
  endpoints: z.array(endpoint),
  timers: z.array(text),
};
const listenerStatus: z.ZodType<ListenerStatus> = z.strictObject(listenerFields);
const detail: z.ZodType<Detailed> = z.strictObject({
  observers: z.array(z.strictObject({ observer: text, ...counts, dead: count })),
  endpoints: z.array(z.strictObject({ endpoint: text, ...counts, dead: count })),
  listeners: z.array(listenerStatus),
  dead: z.array(z.strictObject({ kind: z.enum(['delivery', 'quarantine']), error: text, count, oldest: time })),
  transactions: z.array(
    z.strictObject({
      pid: count.nullable(),
      user: text,
      application: text,
      state: text,
      transactionSeconds: z.number(),
      querySeconds: z.number().nullable(),
    }),
  ),
  leading: instance.nullable(),
});

const latency = z.strictObject({ count, p50: z.number(), p99: z.number() });
const byName = z.record(z.string(), z.number());
const metrics: z.ZodType<MetricsSummary> = z.strictObject({
  address: text,
  events: z.strictObject({ processed: count, perSecond: z.number() }),
  tries: byName,
  triesPerSecond: z.number(),
  failureRate: z.number().nullable(),
  failures: byName,
  actions: z.record(z.string(), latency),
  endToEnd: latency.nullable(),
  cacheHitRate: byName,
  lag: z.strictObject({ events: count.nullable(), seconds: z.number().nullable() }),
  openBreakers: z.array(text),
});
const series = z.array(z.strictObject({ name: text, labels: z.record(z.string(), z.string()), value: z.number() }));

const unaccountable = z.strictObject({
  changeNumber: count,
  event: text,
  entityType: text,
  entityKey: text,
  timestamp: text,
  observer: text,
  action: text,
  version: count,
});
const audit: z.ZodType<Audit> = z.strictObject({
  stream: text,
  changes: count,
  quarantined: count,
  ignored: count,
  passedOver: count,
  notMatched: count,
  delivered: count,
  skipped: count,
  shadow: count,
  dead: count,
  discarded: count,
  parked: count,
  pending: count,
  dismissed: count,
  unaccounted: count,
  list: z.array(unaccountable),
  unverifiable: z.strictObject({ versionUnknown: count, versionUnreadable: count, clock: count, outside: count, size: count }),
});
const missing: z.ZodType<UnaccountedDelivery> = z.strictObject({
  changeNumber: count,
  observer: text,
  action: text,
  version: count,
  foundAt: time,
  event: maybe,
  entityType: maybe,
  entityKey: maybe,
});

const itemFields = {
  id: z.uuid(),
  kind: z.enum(['delivery', 'quarantine']),
  changeNumber: count,
  observer: maybe,
  action: maybe,
  endpoint: maybe,
  entityType: maybe,
  entityKey: maybe,
  error: text,
  message: text,
  status: count.nullable(),
  attempts: count,
  diedAt: time,
};
const item: z.ZodType<DeadLetterItem> = z.strictObject(itemFields);
const tryOfItem = z.strictObject({
  attempt: count,
  outcome: text,
  error: maybe,
  message: maybe,
  status: count.nullable(),
  durationMs: z.number(),
  at: time,
});
const details: z.ZodType<DeadLetterDetails> = z.strictObject({
  ...itemFields,
  response: maybe,
  resolvedAt: time.nullable(),
  resolution: maybe,
  configVersion: count.nullable(),
  data: z.json(),
  tries: z.array(tryOfItem),
  history: z.array(z.strictObject({ at: time, what: text, who: text, detail: maybe })),
});
const group: z.ZodType<DeadLetterGroup> = z.strictObject({ observer: maybe, error: maybe, count, oldest: time, newest: time });
const itemSet = z.strictObject({ count, sample: z.array(item), token: maybe });
const bulk = {
  total: count,
  passed: count,
  asked: count,
  delivered: count,
  failed: count,
  underWay: count,
  remaining: count,
  interrupted: z.boolean(),
  led: z.boolean(),
};

const lane: z.ZodType<HeldLane> = z.strictObject({
  observer: text,
  action: text,
  entityType: text,
  entityKey: text,
  state: z.enum(['parked', 'retrying', 'running', 'queued', 'paused']),
  changeNumber: count,
  attempts: count,
  waiting: count,
  ageSeconds: z.number(),
  error: maybe,
  message: maybe,
  status: count.nullable(),
});
const laneRepair = z.strictObject({ lanes: count, deliveries: count });
const paused = z.strictObject({ observer: text, since: time, by: text, reason: maybe });
const replayed = z.strictObject({ changeNumber: count, timestamp: text, entity: text, event: text, observer: text, action: text });

const backfillFields = {
  id: z.uuid(),
  table: text,
  entity: text,
  observers: z.array(text),
  where: maybe,
  state: z.enum(['running', 'stopped', 'finished', 'cancelled']),
  done: count,
  failed: count,
  expected: count.nullable(),
  startedAt: time,
  startedBy: text,
  endedAt: time.nullable(),
  endedBy: maybe,
};
const backfill: z.ZodType<BackfillRecord> = z.strictObject(backfillFields);
const backfillDone: z.ZodType<PerformedBackfill> = z.strictObject({
  id: z.uuid(),
  state: z.enum(['finished', 'stopped']),
  done: count,
  failed: count,
  led: z.boolean(),
  table: text,
  observers: z.array(text),
  unplaced: count,
});
const backfillPreview: z.ZodType<BackfillPreview> = z.strictObject({
  table: text,
  entity: text,
  observers: z.array(text),
  where: maybe,
  count,
  unplaced: count,
  last: z.strictObject({ id: z.uuid(), state: text, done: count }).nullable(),
  sample: z.array(z.strictObject({ key: text, observers: z.array(trial).nullable(), problem: maybe })),
  notes: z.array(text),
});

/** A new command comes here with the shape of its JSON; one that has none is left out. */
export const OUTPUTS: Readonly<Record<string, z.ZodType>> = {
  'validate-config': z.strictObject({ valid: z.boolean(), problems: z.array(problem), observers: z.array(observer).optional() }),
  'config list': z.array(setting),
  'config history': z.array(version),
  'config diff': z.strictObject({ from: text, to: text, same: z.boolean(), patch: text }),
  migrate: z.union([z.array(z.strictObject({ name: text, applied: z.boolean() })), z.strictObject({ applied: z.array(text) })]),
  'roles plan': rolesPlan,
  'capture plan': z.array(capturePlan),
  'capture list': z.array(z.strictObject(captureFields)),
  'capture check': z.strictObject({ current: z.boolean(), differences: z.array(capturePlan) }),
  status: z.union([status, z.strictObject({ ...statusFields, detail }), z.strictObject({ ...listenerFields, state: instance.nullable() })]),
  doctor: z.array(finding),
  'debug-event': z.union([explained, z.array(explained)]),
  metrics: z.union([metrics, series, z.array(z.strictObject({ name: text, meaning: text }))]),
  'test-event': z.union([testRun, testSample]),
  'config preview': preview,
  tail: tailed,
  search: found,
  'checkpoint show': checkpointShown,
  'checkpoint reset': reset,
  'audit verify': audit,
  'audit list': z.strictObject({ audit: auditWord, unaccounted: z.array(missing) }),
  'audit dismiss': z.strictObject({ dismissed: count }),
  replay: z.union([
    z.strictObject({ events: count, count, unanswerable: count, unreadable: count, sample: z.array(replayed), token: maybe }),
    z.strictObject({ ...bulk, alreadyUnderWay: count }),
  ]),
  'backfill run': z.union([backfillPreview, backfillDone]),
  'backfill list': z.array(backfill),
  'backfill cancel': z.strictObject({ ...backfillFields, changed: z.boolean() }),
  'dlq list': z.array(item),
  'dlq show': details,
  'dlq retry': z.strictObject({
    id: z.uuid(),
    request: z.enum(['queued', 'resolved', 'already under way']),
    configVersion: z.enum(['current', 'original']),
    result: z.strictObject({ delivered: z.boolean(), message: maybe }).nullable(),
  }),
  'dlq retry-all': z.union([
    itemSet,
    z.strictObject({ configVersion: z.enum(['current', 'original']), ...bulk, alreadyUnderWay: count, left: count }),
  ]),
  'dlq remove': z.union([
    itemSet,
    z.strictObject({ id: z.uuid(), result: z.enum(['discarded', 'already resolved']) }),
    z.strictObject({ discarded: count, alreadyUnderWay: count, left: count, remaining: count, interrupted: z.boolean() }),
  ]),
  'dlq stats': z.strictObject({ count, oldest: time.nullable(), newest: time.nullable(), groups: z.array(group) }),
  'observers list': z.array(
    z.strictObject({
      name: text,
      entities: text,
      kinds: z.array(kind),
      columns: z.array(text).nullable(),
      ignoreUnchanged: z.boolean(),
      when: maybe,
      paused: paused.nullable(),
      pending: count,
      dead: count,
    }),
  ),
  'observers pause': z.strictObject({ observer: text, paused: z.literal(true), changed: z.boolean() }),
  'observers resume': z.strictObject({ observer: text, paused: z.literal(false), changed: z.boolean(), waiting: count }),
  'lanes list': z.array(lane),
  'lanes resume': z.strictObject({ resumed: count }),
  'lanes skip': laneRepair,
  'lanes dead-letter': laneRepair,
};

/** docs/cli.schema.json: one definition a command, such as `dlq-list`. */
export function jsonSchemas(): { $defs: Record<string, object> } {
  const $defs = Object.fromEntries(
    Object.entries(OUTPUTS).map(([command, schema]) => {
      const definition = z.toJSONSchema(schema);
      delete definition.$schema;
      return [definitionOf(command), local(definition, definitionOf(command))];
    }),
  );
  const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'What `--format json` of the commands gives' };
  return { ...head, $defs };
}

export function definitionOf(command: string): string {
  return command.replaceAll(' ', '-');
}

/** References of one schema's own, as they are within the whole document. */
function local(definition: object, name: string): object {
  return JSON.parse(JSON.stringify(definition).replaceAll('"$ref":"#', `"$ref":"#/$defs/${name}`)) as object;
}
