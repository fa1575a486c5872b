import type { EntityEvent } from '../../../src/event/entity-event';
import { JsonDocument } from '../../../src/event/json-document';
import { compileCondition, type Explanation } from '../../../src/matching/condition/condition';

/** Noon on the last day of January 2026, UTC. */
export const NOON = Date.parse('2026-01-31T12:00:00Z');

export type EventParts = Partial<Omit<EntityEvent, 'data' | 'before'>> & { readonly before?: string | null };

/** An insert of an order; `data` and `before` are JSON texts, so that tests decide about every digit. */
export function orderEvent(data: string | null, { before = null, ...parts }: EventParts = {}): EntityEvent {
  return {
    changeNumber: 1_234,
    id: '6f2b8c1e-4a57-4f0e-9d3b-2a1c5e7f9b10',
    kind: 'insert',
    entityType: 'Order',
    entityKey: '42',
    tenant: null,
    data: data === null ? null : new JsonDocument(data),
    before: before === null ? null : new JsonDocument(before),
    changed: null,
    timestamp: '2026-01-31T10:00:00.123456Z',
    traceparent: null,
    tracestate: null,
    cause: null,
    lookups: null,
    backfill: null,
    ...parts,
  };
}

/** An update with both images. */
export function orderUpdate(before: string | null, data: string | null, changed: readonly string[] | null = null): EntityEvent {
  return orderEvent(data, { kind: 'update', before, changed });
}

/** `true`, `false`, `unknown`, or `error: …`. */
export function verdictOn(condition: string, event: EntityEvent): string {
  const verdict = compileCondition(condition).evaluate({ event, now: NOON });
  return typeof verdict === 'string' ? verdict : `error: ${verdict.error}`;
}

export function explanationOf(condition: string, event: EntityEvent): Explanation {
  return compileCondition(condition).explain({ event, now: NOON });
}
