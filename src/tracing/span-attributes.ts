import { SpanKind, type Attributes } from '@opentelemetry/api';
import { splitUrl } from '../connections/http/http-sender';
import type { ActionDefinition, EndpointDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { Outcome } from '../event/outcome';

// Names of ours, and those of OpenTelemetry's semantic conventions (HTTP, messaging, database) where they have one. Nothing of the
// row: no key, no tenant, no value; and of URLs the host alone, for paths are rendered, and Slack's are secret.

/** What is the same for all spans of one action. */
export interface ActionSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
}

export function actionSpan({ observer, action }: Pick<Delivery, 'observer' | 'action'>): ActionSpan {
  return {
    name: `deliver ${observer.name}/${action.name}`,
    kind: kindOf(action),
    attributes: {
      'observers.observer': observer.name,
      'observers.action': action.name,
      'observers.action_type': action.type,
      'observers.endpoint': endpointNameOf(action),
      ...conventional(action),
    },
  };
}

export function deliveryAttributes({ event, attempt }: Delivery, id: string): Attributes {
  return {
    'observers.attempt': attempt,
    'observers.delivery_id': id,
    'observers.event_id': event.id,
    'observers.event_kind': event.kind,
    'observers.entity_type': event.entityType,
  };
}

/** With the kind of an error, and never its words: a message may repeat what a server said of the row. */
export function outcomeAttributes(outcome: Outcome, http: boolean): Attributes {
  const { status } = outcome;
  return {
    'observers.outcome': outcome.ok ? (outcome.skipped === undefined ? 'succeeded' : 'skipped') : 'failed',
    ...(http && status !== null ? { 'http.response.status_code': status } : {}),
    ...(outcome.ok ? {} : { 'error.type': http && outcome.error === 'http_status' ? String(status) : outcome.error }),
  };
}

export function isHttp({ type }: ActionDefinition): boolean {
  return type === 'webhook' || type === 'slack' || type === 'sms' || type === 'push';
}

/** Each delivery of a batch is a message, and the request that they share is the client's. */
function kindOf(action: ActionDefinition): SpanKind {
  if (action.type === 'log') return SpanKind.INTERNAL;
  return action.type === 'publish' || isBatched(action) ? SpanKind.PRODUCER : SpanKind.CLIENT;
}

function isBatched(action: ActionDefinition): boolean {
  return action.type === 'webhook' && action.batch !== null;
}

function conventional(action: ActionDefinition): Attributes {
  switch (action.type) {
    case 'webhook':
      return isBatched(action) ? {} : { 'http.request.method': action.method, ...serverOf(action.endpoint) };
    case 'slack':
      return { 'http.request.method': 'POST', ...serverOf(action.endpoint) };
    case 'sms':
    case 'push':
      return { 'http.request.method': 'POST' };
    case 'publish':
      return { 'messaging.system': action.to.broker, 'messaging.operation.type': 'send', 'messaging.operation.name': 'publish' };
    case 'cache':
      return { 'db.system.name': 'redis' };
    case 'search':
      return { 'db.system.name': 'elasticsearch' };
    case 'database':
      return { 'db.system.name': 'postgresql' };
    case 'email':
    case 'custom':
    case 'log':
      return {};
  }
}

export function serverOf({ url }: EndpointDefinition): Attributes {
  const { hostname, port, protocol } = new URL(splitUrl(url)[0]);
  return { 'server.address': hostname, 'server.port': Number(port || (protocol === 'https:' ? 443 : 80)) };
}
