import { parseCause } from '../event/cause';
import { changedColumns } from '../event/changed-columns';
import type { BackfillOrigin, EntityEvent, EventKind, QuarantineReason } from '../event/entity-event';
import { JsonDocument } from '../event/json-document';
import { parseTraceContext } from '../event/trace-context';
import { BEYOND_MEASURE, type ChangeRow } from './change-row.sql';

export type { ChangeRow } from './change-row.sql';

export type Decoded =
  | { readonly is: 'event'; readonly event: EntityEvent }
  /** A row that is no change (NOOP, READ): read, and matched by nobody. */
  | { readonly is: 'ignored'; readonly changeNumber: number }
  /** Never guessed: recorded with the reason, and it blocks nothing. */
  | { readonly is: 'quarantined'; readonly changeNumber: number; readonly reason: QuarantineReason; readonly message: string };

const KINDS: Readonly<Record<string, EventKind | 'ignored'>> = {
  INSERT: 'insert',
  UPDATE: 'update',
  DELETE: 'delete',
  CUSTOM: 'custom',
  BACKFILL: 'backfill',
  NOOP: 'ignored',
  READ: 'ignored',
};

/** PostgreSQL's years go from 4713 BC to 294276, and it knows infinity. */
const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/;

/** An array of PostgreSQL's may hold nulls, and other arrays. */
function fieldsOf(text: string): readonly string[] | 'invalid' {
  const fields = JSON.parse(text) as unknown[];
  return fields.every((field): field is string => typeof field === 'string') ? fields : 'invalid';
}

/** One row of the change log to an event. Total: what cannot be an event is quarantined with the reason. */
export function decode(row: ChangeRow, maxBytes: number): Decoded {
  const [number, id, entityType, key, verb, data, before, changed, tenant, timestamp, traceparent, tracestate, cause, captureError, bytes] =
    row;
  const [unreadable, origin] = [row[16], row[17]];
  const changeNumber = Number(number);
  const quarantined = (reason: QuarantineReason, message: string): Decoded => ({ is: 'quarantined', changeNumber, reason, message });

  // First of all: of a row that is too large nothing else was read.
  if (bytes !== null) {
    const size = bytes === BEYOND_MEASURE ? 'more bytes than PostgreSQL can write out in time' : `${bytes} bytes`;
    return quarantined('too_large', `the row has ${size}, and events may have ${maxBytes} (OBSERVERS_MAX_EVENT_SIZE)`);
  }
  if (unreadable !== null) {
    return quarantined('undecodable', `${unreadable}: the bytes there are no characters that can be converted to UTF-8 (doctor says more)`);
  }
  const kind = verb !== null && Object.hasOwn(KINDS, verb) ? KINDS[verb] : undefined;
  if (kind === undefined)
    return quarantined('unknown_verb', `modification_type is "${(verb ?? '').slice(0, 80)}"; known are ${Object.keys(KINDS).join(', ')}`);
  if (kind === 'ignored') return { is: 'ignored', changeNumber };
  if (captureError !== null) return quarantined('capture_error', `the change was recorded without its data: ${captureError}`);
  if (id === null) return quarantined('undecodable', 'id is null, and receivers know an event by it');
  if (entityType === null || entityType.trim() === '') return quarantined('undecodable', 'object_type is empty: it names the entity');
  if (!TIME.test(timestamp)) return quarantined('undecodable', `created_at is ${timestamp}: no time of the years 1 to 9999`);
  const changedFields = changed === null ? null : fieldsOf(changed);
  if (changedFields === 'invalid') return quarantined('undecodable', 'updated_fields holds something else than names of fields');
  const backfill = kind === 'backfill' ? parseOrigin(origin) : null;
  if (kind === 'backfill' && backfill === null)
    return quarantined('undecodable', 'a row of a backfill says in extra_metadata.backfill which one (id) and for which observers, and this one does not'); // prettier-ignore
  const trace = parseTraceContext(traceparent, tracestate);
  const after = data ?? (kind === 'delete' ? before : null);
  // Only when somebody asks: comparing two images costs some microseconds.
  let changedNames: readonly string[] | null | undefined;
  return {
    is: 'event',
    event: {
      changeNumber,
      id,
      kind,
      entityType,
      entityKey: key ?? '',
      tenant,
      data: after === null ? null : new JsonDocument(after),
      before: before === null || kind === 'insert' || kind === 'backfill' ? null : new JsonDocument(before),
      get changed() {
        return (changedNames = changedNames === undefined ? namesOfChanged(kind, changedFields, before, after) : changedNames);
      },
      timestamp: `${timestamp.replace(' ', 'T')}Z`,
      traceparent: trace?.traceparent ?? null,
      tracestate: trace?.tracestate ?? null,
      cause: parseCause(cause),
      lookups: null,
      backfill,
    },
  };
}

function parseOrigin(text: string | null): BackfillOrigin | null {
  if (text === null) return null;
  try {
    const { id, observers } = (JSON.parse(text) ?? {}) as { id?: unknown; observers?: unknown };
    if (typeof id !== 'string' || !Array.isArray(observers) || observers.length === 0) return null;
    return observers.every((name): name is string => typeof name === 'string') ? { id, observers } : null;
  } catch {
    return null;
  }
}

/** Columns that an update changed, as its producer names them, or as its images differ. */
function namesOfChanged(
  kind: EventKind,
  named: readonly string[] | null,
  before: string | null,
  after: string | null,
): readonly string[] | null {
  if (named !== null) return named;
  return kind === 'update' && before !== null && after !== null ? changedColumns(before, after) : null;
}
