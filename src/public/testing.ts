import { randomUUID } from 'node:crypto';
import { deliveryId } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import { envelopeText } from '../event/envelope';
import { JsonDocument } from '../event/json-document';
import { jsonText } from '../event/json-text';
import type { CustomDelivery } from '../actions/custom/custom-action';

/** What a test says about a delivery; the rest is made up. */
export interface Sample {
  readonly entity?: string;
  readonly key?: string;
  readonly kind?: EntityEvent['kind'];
  /** The row, as an object or as JSON text with exact numbers. */
  readonly data?: object | string;
  readonly before?: object | string;
  readonly changed?: readonly string[];
  readonly tenant?: string;
  readonly attempt?: number;
}

/** A delivery to call a custom action with in its own tests. */
export function sampleDelivery({ entity = 'Order', key = '1', kind = 'insert', ...sample }: Sample = {}): CustomDelivery {
  const event: EntityEvent = {
    changeNumber: 1,
    id: randomUUID(),
    kind,
    entityType: entity,
    entityKey: key,
    tenant: sample.tenant ?? null,
    data: documentOf(sample.data),
    before: documentOf(sample.before),
    changed: sample.changed ?? null,
    timestamp: '2026-01-01T00:00:00.000000Z',
    traceparent: null,
    tracestate: null,
    cause: null,
    lookups: null,
    backfill: null,
  };
  const [observer, action] = ['sample', 'custom'];
  const id = deliveryId(event.id, observer, action);
  return {
    id,
    event,
    envelope: envelopeText(event),
    observer,
    action,
    attempt: sample.attempt ?? 1,
    cause: `${observer}/${action}`,
    test: false,
    trace: null,
  };
}

function documentOf(content: object | string | undefined): JsonDocument | null {
  return content === undefined ? null : new JsonDocument(typeof content === 'string' ? content : jsonText(content));
}
