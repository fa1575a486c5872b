import type { EntityEvent } from '../../event/entity-event';
import type { Renderings } from '../dry-run/render-explained';
import type { EventExplanation } from '../../explain/explain';

/** As `--format json` gives it: the event's images are JSON values. @param renderings with them each delivery has its own, or null */
export function explanationJson({ event, observers, ...rest }: EventExplanation, renderings: Renderings | null = null): object {
  const rendered = observers.map(({ deliveries, ...observer }) => ({
    ...observer,
    deliveries: deliveries.map((one) => ({ ...one, rendering: renderings?.get(`${observer.name}/${one.action}`) ?? null })),
  }));
  return { ...rest, observers: renderings === null ? observers : rendered, event: event === null ? null : eventJson(event) };
}

/** The event alone. */
export function eventJson({
  id,
  entityType,
  entityKey,
  kind,
  tenant,
  timestamp,
  changed,
  traceparent,
  cause,
  data,
  before,
}: EntityEvent): object {
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
