import type {
  AttemptRecord,
  CancelRecord,
  DeadLetterRecord,
  DeliveryKey,
  Group,
  PendingRecord,
  QuarantineRecord,
  RedrivenRecord,
  ScheduledRecord,
} from './records';
import { recordable, storable } from './storable';

type Value = string | number | boolean | null;

/** By the column's name: its type in PostgreSQL, and its value. @param now monotonic milliseconds */
type Columns<T> = Readonly<Record<string, readonly [type: string, value: (record: T, now: number) => Value]>>;

const KEY: Columns<DeliveryKey> = {
  change_number: ['bigint', (r) => r.changeNumber],
  observer: ['text', (r) => r.observer],
  action: ['text', (r) => r.action],
};

/** All that is to be said of a success. */
const ATTEMPTS: Columns<AttemptRecord> = {
  ...KEY,
  attempt: ['int', (a) => a.attempt],
  status: ['smallint', (a) => a.status],
  duration_ms: ['real', (a) => a.durationMs],
  age: ['float8', (a, now) => now - a.finishedAt],
};

/** What is to be said besides of other outcomes. */
const OUTCOMES: Columns<AttemptRecord> = {
  outcome: ['text', (a) => a.outcome],
  error: ['text', (a) => a.error],
  message: ['text', (a) => recordable(a.message)],
  response: ['text', (a) => recordable(a.response)],
  config_version: ['int', (a) => a.configVersion],
};

const PENDING: Columns<PendingRecord> = {
  ...KEY,
  endpoint: ['text', (p) => p.endpoint],
  lane: ['text', (p) => storable(p.lane)],
  party: ['text', (p) => p.party],
  state: ['text', (p) => p.state],
  attempt: ['int', (p) => p.attempt],
  appointments: ['int', (p) => p.appointments],
  elapsed: ['float8', (p) => p.elapsed],
  after: ['float8', (p) => p.after],
  claim: ['float8', (p) => p.claim],
  redrive: ['bool', (p) => p.redrive],
  strict: ['bool', (p) => p.strict],
};

const SCHEDULED: Columns<ScheduledRecord> = {
  ...KEY,
  endpoint: ['text', (s) => s.endpoint],
  lane: ['text', (s) => storable(s.lane)],
  party: ['text', (s) => s.party],
  due: ['float8', (s) => s.due],
  debounce_key: ['text', (s) => (s.debounceKey === null ? null : storable(s.debounceKey))],
  since: ['float8', (s) => s.since],
  max_wait: ['float8', (s) => s.maxWait],
  collapsed: ['int', (s) => s.collapsed],
  config_version: ['int', (s) => s.configVersion],
};

const CANCELLED: Columns<CancelRecord> = {
  ...KEY,
  lane: ['text', (c) => storable(c.lane)],
  config_version: ['int', (c) => c.configVersion],
};

const DEAD_LETTERS: Columns<DeadLetterRecord> = {
  id: ['uuid', (d) => d.id],
  event_id: ['uuid', (d) => d.eventId],
  ...KEY,
  endpoint: ['text', (d) => d.endpoint],
  entity_type: ['text', (d) => d.entityType],
  entity_key: ['text', (d) => d.entityKey],
  error: ['text', (d) => d.error],
  message: ['text', (d) => recordable(d.message)],
  status: ['smallint', (d) => d.status],
  response: ['text', (d) => recordable(d.response)],
  attempts: ['int', (d) => d.attempts],
  config_version: ['int', (d) => d.configVersion],
  collapsed: ['int', (d) => d.collapsed],
};

const REDRIVEN: Columns<RedrivenRecord> = { id: ['uuid', (r) => r.id] };

const QUARANTINE: Columns<QuarantineRecord> = {
  change_number: ['bigint', (q) => q.changeNumber],
  reason: ['text', (q) => q.reason],
  message: ['text', (q) => recordable(q.message)],
};

/** Parameters that are no columns: stream, epoch, holder, version, and the three of the cursor. */
const FIXED = 7;

interface NumberedRows {
  /** `$8::bigint[], $9::text[]`: arrays for unnest(). */
  readonly arrays: string;
  /** `change_number, observer`: what its columns are called. */
  readonly names: string;
  /** `unnest($8::bigint[], $9::text[]) as u(change_number, observer)` */
  readonly rows: string;
}

/** Gives each column of these tables a parameter, in this order, behind the fixed ones. */
function numbered<N extends string>(tables: Readonly<Record<N, Columns<never>>>): Readonly<Record<N, NumberedRows>> {
  let last = FIXED;
  const entries = Object.entries<Columns<never>>(tables).map(([name, columns]) => {
    const arrays = Object.values(columns).map(([type]) => `$${++last}::${type}[]`).join(', '); // prettier-ignore
    const names = Object.keys(columns).join(', ');
    return [name, { arrays, names, rows: `unnest(${arrays}) as u(${names})` }];
  });
  return Object.fromEntries(entries) as Readonly<Record<N, NumberedRows>>;
}

/** The parameters of the statement that writes any group. That of successes has the first table only. */
export const NUMBERED = numbered({
  attempts: ATTEMPTS,
  outcomes: OUTCOMES,
  pending: PENDING,
  scheduled: SCHEDULED,
  cancelled: CANCELLED,
  ended: KEY,
  dead: DEAD_LETTERS,
  redriven: REDRIVEN,
  quarantined: QUARANTINE,
});

/** Arrays' texts; the driver's own take 2 µs an event more for these seven. */
export function successValues(attempts: readonly AttemptRecord[], now: number): string[] {
  return Object.values(ATTEMPTS).map(([, value]) => arrayText(attempts, (attempt) => value(attempt, now)));
}

/** Values of all tables behind the first, in the order of NUMBERED. */
export function otherValues({ attempts, pending, scheduled, cancelled, ended, deadLetters, redriven, quarantine }: Group): unknown[][] {
  return [
    ...arraysOf(OUTCOMES, attempts),
    ...arraysOf(PENDING, pending),
    ...arraysOf(SCHEDULED, scheduled),
    ...arraysOf(CANCELLED, cancelled),
    ...arraysOf(KEY, ended),
    ...arraysOf(DEAD_LETTERS, deadLetters),
    ...arraysOf(REDRIVEN, redriven),
    ...arraysOf(QUARANTINE, quarantine),
  ];
}

function arraysOf<T>(columns: Columns<T>, records: readonly T[]): Value[][] {
  return Object.values(columns).map(([, value]) => records.map((record) => value(record, 0)));
}

function arrayText<T>(items: readonly T[], value: (item: T) => Value): string {
  const text = (item: T): string => {
    const plain = value(item);
    return typeof plain === 'string' ? `"${plain.replace(/["\\]/g, '\\$&')}"` : String(plain);
  };
  return `{${items.map(text).join(',')}}`;
}
