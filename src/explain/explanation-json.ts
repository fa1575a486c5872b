import type { EntityEvent } from '../event/entity-event';
import type { EventExplanation } from './explain';

/** As `--format json` and the API give it: the event's images are JSON values. */
export function explanationJson({ event, ...rest }: EventExplanation): object {
  return { ...rest, event: event === null ? null : eventJson(event) };
}

function eventJson({ id, entityType, entityKey, kind, tenant, timestamp, changed, traceparent, cause, data, before }: EntityEvent): object {
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
