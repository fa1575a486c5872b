import type { JsonDocument, JsonValue } from './json-document';

/** What happened to the row. `custom` is anything an application records itself, and TRUNCATE. */
export type ChangeKind = 'insert' | 'update' | 'delete' | 'custom';

/** A change, or a row as a backfill found it. */
export type EventKind = ChangeKind | 'backfill';

/** What an observer may be for. */
export const CHANGE_KINDS: readonly ChangeKind[] = ['insert', 'update', 'delete', 'custom'];

export const EVENT_KINDS: readonly EventKind[] = [...CHANGE_KINDS, 'backfill'];

const NO_EVENT = ['unknown_verb', 'capture_error', 'too_large', 'undecodable'] as const;
/** Why a change cannot be made an event. */
export type QuarantineReason = (typeof NO_EVENT)[number];
/** Why a change is in quarantine of which one delivery cannot be made, or not be recorded; the others go on. */
export const DELIVERY_REASONS = ['unreadable', 'unrecordable', 'cancel_when'] as const;
/** Whatever a change may be in quarantine for. */
export const QUARANTINE_REASONS: readonly string[] = [...NO_EVENT, ...DELIVERY_REASONS];

/** The backfill that an event belongs to. */
export interface BackfillOrigin {
  readonly id: string;
  /** Names of the observers that take part; nobody else does. */
  readonly observers: readonly string[];
}

/** One committed change of one entity, decoded from one row of `core.tb_entity_change_log`. */
export interface EntityEvent {
  /** `pk_entity_change_log`: order within one entity, not commit order between entities. */
  readonly changeNumber: number;
  /** Stable public id (UUID); receivers deduplicate on what is derived from it. */
  readonly id: string;
  readonly kind: EventKind;
  /** Which backfill wrote it, where the kind is `backfill`; null otherwise. */
  readonly backfill: BackfillOrigin | null;
  readonly entityType: string;
  /** Any key type as text; a composite key is a JSON array. Empty for changes without a row, such as TRUNCATE. */
  readonly entityKey: string;
  readonly tenant: string | null;
  /** The row after the change; for `delete` the row as it was. Null when the producer wrote none. */
  readonly data: JsonDocument | null;
  /** The row before the change; null for `insert` and `backfill`, and when before-images are switched off. */
  readonly before: JsonDocument | null;
  /** Names of the columns that an update changed; null when the producer did not say. */
  readonly changed: readonly string[] | null;
  /** When the change was written, RFC 3339 in UTC with microseconds. */
  readonly timestamp: string;
  /** W3C trace context of the writing application, when it stored one that is valid. */
  readonly traceparent: string | null;
  readonly tracestate: string | null;
  /** The deliveries that led to the change; null when an application made it of its own accord. */
  readonly cause: string | null;
  /** What the look-ups of an observer have found, by their names; null where there are none, or not yet. */
  readonly lookups: Readonly<Record<string, JsonValue>> | null;
  /** How many changes its delivery stands for, this one included, where its observer debounces; missing otherwise. */
  readonly collapsed?: number;
}
