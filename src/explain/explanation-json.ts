import type { EntityEvent } from '../event/entity-event';
import type { EventExplanation } from './explain';

export type { RecordedChange } from './facts.sql';

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

/** The same with what each delivery sends, or would; null where it cannot be said. @param renderings by `observer/action` */
export function renderedJson<R>(explained: EventExplanation, renderings: ReadonlyMap<string, R>): object {
  const { observers, ...rest } = explanationJson(explained);
  const rendered = observers.map(({ deliveries, ...observer }) => ({
    ...observer,
    deliveries: deliveries.map((one) => ({ ...one, rendering: renderings.get(`${observer.name}/${one.action}`) ?? null })),
  }));
  return { ...rest, observers: rendered };
}

/** The event alone. */
export function eventJson(event: EntityEvent): EventJson {
  const { id, entityType, entityKey, kind, tenant, timestamp, changed, traceparent, tracestate, cause, backfill, data, before } = event;
  return {
    id,
    entityType,
    entityKey,
    kind,
    tenant,
    timestamp,
    changed,
    traceparent,
    tracestate,
    cause,
    backfill,
    data: data === null ? null : data.spelled,
    before: before === null ? null : before.spelled,
  };
}
