import { createHash } from 'node:crypto';
import type { ActionDefinition, ObserverDefinition } from './definitions';
import type { EntityEvent } from './entity-event';
import type { TraceContext } from './trace-context';

/** Event × observer × action, before anybody tries it. */
export interface PlannedDelivery {
  readonly event: EntityEvent;
  readonly observer: ObserverDefinition;
  readonly action: ActionDefinition;
}

/** The unit that succeeds, is retried, dies and is redriven. */
export interface Delivery extends PlannedDelivery {
  /** The try that is under way or comes next; 1 for the first. */
  readonly attempt: number;
  /** The version of the configuration that observer and action are of. */
  readonly configVersion: number;
  /** The delivery id of a test that a person makes, so that it is never taken for the real one. Receivers are told. */
  readonly test?: string;
  /** Trace context of the try that is under way, where traces are made. */
  readonly trace?: TraceContext;
}

// UUIDv5 namespace of delivery ids: a random UUID of our own, fixed for ever, for ids must be the same on every restart and replica.
const NAMESPACE = Buffer.from('6f6273657276d4a08e3f72df1c5e9b24', 'hex');

/**
 * UUIDv5 of event id, observer name and action name: the same on every retry, restart and replica, hence never stored in an index.
 * It is the `webhook-id` that receivers deduplicate on.
 */
export function deliveryId(eventId: string, observer: string, action: string): string {
  return uuidOf(`${eventId}\n${observer}\n${action}`);
}

/** What the receiver knows the delivery by. */
export function idOf({ event, observer, action, test }: Delivery): string {
  return test ?? deliveryId(event.id, observer.name, action.name);
}

/** UUIDv5 of the ids of deliveries that are sent as one request, in their order. */
export function batchId(ids: readonly string[]): string {
  return uuidOf(`batch\n${ids.join('\n')}`);
}

function uuidOf(name: string): string {
  const hex = createHash('sha1').update(NAMESPACE).update(name).digest('hex');
  const variant = VARIANTS[parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const VARIANTS = '89ab';

// An entry of PostgreSQL's index may have 2,704 bytes, and a lane is in one, with the stream. A character has 3 of them at the most here:
// two halves of a pair have 4.
const LONGEST_IN_LANE = 200;
const SHOWN_IN_LANE = 100;

/**
 * Whose deliveries take turns at an endpoint and in its queue: a tenant's, of one observer. Of no meaning for the order within a lane, whose
 * changes may have several tenants.
 */
export function partyOf({ event, observer }: PlannedDelivery, fairness: 'tenants' | 'none'): string {
  return fairness === 'tenants' ? `${event.tenant ?? ''}\n${observer.name}` : EVERYBODY;
}

/** Where nobody takes turns. */
const EVERYBODY = '-';

/** What a lane is named after. */
export interface LaneOwner {
  readonly event: Pick<EntityEvent, 'entityType' | 'entityKey'>;
  readonly observer: { readonly name: string };
  readonly action: { readonly name: string };
}

/** Per entity and action, so that a slow action of one observer does not hold up the others'. Two entities never share a lane. */
export function laneOf({ event, observer, action }: LaneOwner): string {
  return `${shortened(event.entityType)}\n${shortened(event.entityKey)}\n${observer.name}\n${action.name}`;
}

/** A text that is too long keeps its beginning, for people, and its digest. */
function shortened(text: string): string {
  if (text.length <= LONGEST_IN_LANE) return text;
  return `${text.slice(0, SHOWN_IN_LANE).toWellFormed()}… sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** What a delivery passes on: the context of its own span, or, where there is none, that of the writing application. */
export function passedOn({ trace, event }: Delivery): TraceContext | null {
  if (trace !== undefined) return trace;
  return event.traceparent === null ? null : { traceparent: event.traceparent, tracestate: event.tracestate };
}
