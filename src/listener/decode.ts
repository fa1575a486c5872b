import { parseCause } from '../event/cause';
import { changedColumns } from '../event/changed-columns';
import type { BackfillOrigin, EntityEvent, EventKind } from '../event/entity-event';
import { JsonDocument } from '../event/json-document';
import { parseTraceContext } from '../event/trace-context';
import type { ChangeRow } from './change-log.sql';

/** Why a change cannot be made an event. */
export type QuarantineReason = 'unknown_verb' | 'capture_error' | 'too_large' | 'undecodable';

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

/** One row of the change log to an event. Total: what cannot be an event is quarantined with the reason. */
export function decode(row: ChangeRow, maxBytes: number): Decoded {
  const [number, id, entityType, key, verb, data, before, changed, tenant, timestamp, traceparent, tracestate, cause, captureError, bytes] =
    row;
  const [unreadable, origin] = [row[16], row[17]];
  const changeNumber = Number(number);
  const quarantined = (reason: QuarantineReason, message: string): Decoded => ({ is: 'quarantined', changeNumber, reason, message });

  if (unreadable !== null) {
    return quarantined('undecodable', `${unreadable}: the bytes there are no characters that can be converted to UTF-8 (doctor says more)`);
  }
  const kind = Object.hasOwn(KINDS, verb) ? KINDS[verb] : undefined;
  if (kind === undefined)
    return quarantined('unknown_verb', `modification_type is "${verb.slice(0, 80)}"; known are ${Object.keys(KINDS).join(', ')}`);
  if (kind === 'ignored') return { is: 'ignored', changeNumber };
  if (captureError !== null) return quarantined('capture_error', `the change was recorded without its data: ${captureError}`);
  if (bytes !== null) {
    return quarantined('too_large', `the row has ${bytes} bytes of JSON, and events may have ${maxBytes} (OBSERVERS_MAX_EVENT_SIZE)`);
  }
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
        return (changedNames = changedNames === undefined ? namesOfChanged(kind, changed, before, after) : changedNames);
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

/** Of an update, as its producer names them, or as its images differ. */
function namesOfChanged(kind: EventKind, named: string | null, before: string | null, after: string | null): string[] | null {
  if (named !== null) return JSON.parse(named) as string[];
  return kind === 'update' && before !== null && after !== null ? changedColumns(before, after) : null;
}
