import type { EntityEvent } from '../event/entity-event';
import type { EventExplanation } from './explain';

/** An event as `--format json` and the API give it: its images are JSON values. */
export interface EventJson extends Omit<EntityEvent, 'changeNumber' | 'data' | 'before' | 'lookups'> {
  readonly data: unknown;
  readonly before: unknown;
}

export type EventExplanationJson = Omit<EventExplanation, 'event'> & { readonly event: EventJson | null };

/** Numbers in the images keep their digits: to be written by `jsonText`. */
export function explanationJson({ event, ...rest }: EventExplanation): EventExplanationJson {
  return { ...rest, event: event === null ? null : eventJson(event) };
}

function eventJson(event: EntityEvent): EventJson {
  const { id, entityType, entityKey, kind, tenant, timestamp, changed, traceparent, cause, data, before } = event;
  return {
    id,
    entityType,
    entityKey,
    kind,
    tenant,
    timestamp,
    changed,
    traceparent,
    cause,
    data: data === null ? null : data.value,
    before: before === null ? null : before.value,
  };
}
