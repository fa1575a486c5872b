import { z } from 'zod';
import { ABSENCES } from '../../../../src/explain/absence';
import type { EntityAnswer } from '../../../../src/explain/entity-answer';
import type { EventExplanation } from '../../../../src/explain/explain';
import type { Explanation } from '../../../../src/matching/condition/condition';
import type { CountResult, SearchResult } from '../../../../src/search/audit-trail';
import type { ParkedDocument } from '../../../../src/search/search-index.service';
import type { TailEntry } from '../../../../src/status/tail.sql';
import { count, kind, maybe, text, time } from './values';

// What is told of stored events.

/** Verdicts of an observer on an event, stored or tried. */
export const VERDICTS = [
  'matched',
  'other entity',
  'other kind',
  'nothing changed',
  'other columns',
  'not named',
  'condition not met',
  'no answer',
  'undecided',
] as const;

export const condition: z.ZodType<Explanation> = z.strictObject({
  text,
  value: text,
  note: maybe,
  get children(): z.ZodType<readonly Explanation[]> {
    return z.array(condition);
  },
});
const attempt = z.strictObject({
  observer: text,
  action: text,
  attempt: count,
  outcome: z.enum(['succeeded', 'skipped', 'retry', 'dead']),
  error: maybe,
  message: maybe,
  status: count.nullable(),
  response: maybe,
  durationMs: z.number(),
  finishedAt: time,
  configVersion: count,
});
const explainedDelivery = z.strictObject({
  id: z.uuid(),
  action: text,
  type: maybe,
  state: z.enum([
    'delivered',
    'skipped',
    'dead',
    'discarded',
    'logged',
    'scheduled',
    'queued',
    'running',
    'retrying',
    'waiting',
    'parked',
    'paused',
    'not begun',
    'quarantined',
    'forgotten',
    'unaccounted',
    'shadow',
    'passed over',
  ]),
  why: text,
  nextTryAt: time.nullable(),
  attempts: z.array(attempt),
  next: maybe,
});
const explainedObserver = z.strictObject({
  name: text,
  verdict: z.enum([...VERDICTS, 'not in this configuration', 'not known']),
  why: text,
  condition: condition.nullable(),
  deliveries: z.array(explainedDelivery),
});
export const event = z.strictObject({
  id: z.uuid(),
  entityType: text,
  entityKey: text,
  kind,
  tenant: maybe,
  timestamp: time,
  changed: z.array(text).nullable(),
  traceparent: maybe,
  tracestate: maybe,
  cause: maybe,
  backfill: z.strictObject({ id: text, observers: z.array(text) }).nullable(),
  data: z.json(),
  before: z.json(),
});
const state = z.enum(['processed', 'passed over', 'waiting', 'quarantined', 'ignored', 'history']);
const recorded = z.strictObject({ id: maybe, entityType: maybe, entityKey: maybe, kind: maybe, timestamp: time.nullable() });
export const explained: z.ZodType<Omit<EventExplanation, 'event'>> = z.strictObject({
  changeNumber: count,
  recorded,
  event: event.nullable(),
  state,
  why: text,
  version: count.nullable(),
  observers: z.array(explainedObserver),
  notes: z.array(text),
});
const next = maybe;
export const answered: z.ZodType<EntityAnswer> = z.strictObject({
  entity: text,
  key: text,
  observer: maybe,
  changes: z.array(
    z.strictObject({
      changeNumber: count,
      recorded,
      state,
      why: text,
      version: count.nullable(),
      observers: z.array(
        explainedObserver
          .omit({ condition: true })
          .extend({ deliveries: z.array(explainedDelivery.omit({ attempts: true }).extend({ tries: count })) }),
      ),
      notes: z.array(text),
      next,
    }),
  ),
  more: z.boolean(),
  behind: z.strictObject({ changes: count, seconds: z.number().min(0), led: z.boolean() }).nullable(),
  absences: z.array(z.strictObject({ reason: z.enum(ABSENCES), certain: z.boolean(), why: text, next })),
  next,
});
export const tailed: z.ZodType<TailEntry> = z.strictObject({
  kind: z.enum(['event', 'attempt', 'dead letter', 'quarantine']),
  at: time,
  change: count,
  event: maybe,
  entityType: maybe,
  entityKey: maybe,
  operation: maybe,
  observer: maybe,
  action: maybe,
  attempt: count.nullable(),
  outcome: z.enum(['succeeded', 'retry', 'dead', 'skipped', 'quarantined', 'discarded']).nullable(),
  error: maybe,
  message: maybe,
  status: count.nullable(),
  durationMs: z.number().nullable(),
  configVersion: count.nullable(),
});
export const parkedDocument: z.ZodType<ParkedDocument> = z.strictObject({
  change: count,
  status: count,
  reason: text,
  tries: count,
  parkedAt: time,
  retry: z.boolean(),
  entityType: maybe,
  entityKey: maybe,
});
export const counted: z.ZodType<CountResult> = z.strictObject({
  counts: z.array(z.strictObject({ value: text, count })),
  ended: z.enum(['time', 'end']),
});
export const found: z.ZodType<SearchResult> = z.strictObject({
  found: z.array(
    z.strictObject({
      change: count,
      event: z.uuid(),
      entityType: text,
      entityKey: maybe,
      kind: text,
      written: time,
      foundIn: z.array(z.enum(['entity', 'event', 'change', 'data', 'before', 'error', 'note'])),
      excerpt: maybe,
    }),
  ),
  ended: z.enum(['limit', 'time', 'end']),
  looked: count,
  reached: z.strictObject({ change: count, written: time }).nullable(),
  note: text,
});
