import type { Delivery } from '../../event/delivery';
import type { EntityEvent } from '../../event/entity-event';
import { eventTypeName } from '../../event/envelope';
import type { Header } from '../rendering';

/** The entity as one text: type and key. */
export function entityOf({ entityType, entityKey }: EntityEvent): string {
  return `${entityType}/${entityKey}`;
}

/**
 * The attributes of a CloudEvent in binary mode (version 1.0), each with the prefix of its transport. The id is the delivery id, for it is
 * what receivers deduplicate on.
 */
export function cloudEventHeaders(prefix: string, { event, observer }: Delivery, id: string): readonly Header[] {
  return [
    [`${prefix}specversion`, '1.0'],
    [`${prefix}id`, id],
    [`${prefix}type`, eventTypeName(event)],
    [`${prefix}source`, `fraiseql-observers/${encodeURIComponent(observer.name)}`],
    [`${prefix}subject`, entityOf(event)],
    [`${prefix}time`, event.timestamp],
  ];
}
