import type { EntityEvent } from './entity-event';
import type { JsonValue } from './json-document';

/** The default webhook body, version 1. `docs/envelope.schema.json` is its JSON Schema. */
export interface Envelope {
  /** The event's id (UUID). */
  readonly id: string;
  /** `order.created`, `order.updated`, `order.deleted`, `order.custom`, `order.backfilled`. */
  readonly type: string;
  /** RFC 3339, UTC. */
  readonly timestamp: string;
  /** The row after the change; for a deletion the row as it was. */
  readonly data: JsonValue;
  readonly before: JsonValue;
  readonly changed: readonly string[];
  readonly entity: { readonly type: string; readonly key: string };
  readonly tenant: string | null;
  /** The change number. Grows within one entity; between entities it is not the order of commits. */
  readonly sequence: number;
  readonly version: 1;
  /** How many changes it stands for, where the observer debounces; missing otherwise. */
  readonly collapsed?: number;
}

const PAST_TENSE = { insert: 'created', update: 'updated', delete: 'deleted', custom: 'custom', backfill: 'backfilled' } as const;

/** `Order` and `insert` give `order.created`. */
export function eventTypeName(event: EntityEvent): string {
  return `${event.entityType.toLowerCase()}.${PAST_TENSE[event.kind]}`;
}

/**
 * The envelope's text. The row's JSON is copied as PostgreSQL wrote it, so that int8 and numeric keep their digits
 * and nothing is parsed or serialised on the hot path.
 */
export function envelopeText(event: EntityEvent): string {
  return (
    `{"id":"${event.id}","type":${JSON.stringify(eventTypeName(event))},"timestamp":"${event.timestamp}",` +
    `"data":${event.data?.text ?? 'null'},"before":${event.before?.text ?? 'null'},` +
    `"changed":${event.changed === null ? '[]' : JSON.stringify(event.changed)},` +
    `"entity":{"type":${JSON.stringify(event.entityType)},"key":${JSON.stringify(event.entityKey)}},` +
    `"tenant":${JSON.stringify(event.tenant)},"sequence":${event.changeNumber},"version":1${event.collapsed === undefined ? '' : `,"collapsed":${event.collapsed}`}}`
  );
}
