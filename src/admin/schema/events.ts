import { z } from 'zod';
import type { EventExplanationJson } from '../../explain/explanation-json';
import type { StoredEvent } from '../../explain/stored-events.service';
import type { FoundEvent } from '../../search/audit-trail';
import { EVENT_KINDS, type EventKind } from '../../event/entity-event';
import type { ReplayPreview } from '../../redrive/replays.service';
import type { Explanation } from '../../matching/condition/condition';
import { count, named, pageOf, time } from './registry';

const kind = z.enum(EVENT_KINDS as [EventKind, ...EventKind[]]);

const STORED: z.ZodType<StoredEvent> = named(
  'StoredEvent',
  z.strictObject({
    changeNumber: z.int(),
    id: z.string(),
    entityType: z.string(),
    entityKey: z.string(),
    kind: z.string().describe('insert, update, delete, custom, backfill; of a quarantined change whatever was written'),
    tenant: z.string().nullable(),
    timestamp: time,
    state: z.enum(['processed', 'waiting', 'quarantined', 'ignored', 'history']),
    pending: count.describe('deliveries that are not finished'),
    dead: count.describe('dead letters'),
  }),
  'a change as the list has it, without its data',
);

export const EVENTS = named('EventPage', pageOf(STORED));

export const CONDITION: z.ZodType<Explanation> = named(
  'Explanation',
  z.strictObject({
    text: z.string().describe('the part of the condition'),
    value: z.string().describe('JSON text of its value, unknown, missing, or error'),
    note: z.string().nullable(),
    get children() {
      return z.array(CONDITION);
    },
  }),
);

const ATTEMPT = z.strictObject({
  observer: z.string(),
  action: z.string(),
  attempt: z.int(),
  outcome: z.enum(['succeeded', 'skipped', 'retry', 'dead']),
  error: z.string().nullable(),
  message: z.string().nullable(),
  status: z.int().nullable(),
  response: z.string().nullable(),
  durationMs: z.number(),
  finishedAt: time,
  configVersion: z.int(),
});

export const NEXT = z.string().nullable().describe('the command that helps, behind the name of the program; null where there is none');

export const DELIVERY = z.strictObject({
  id: z.string(),
  action: z.string(),
  type: z.string().nullable(),
  state: z.enum([
    'delivered', 'skipped', 'shadow', 'dead', 'discarded', 'logged', 'scheduled', 'queued', 'running', 'retrying', 'waiting', 'parked', 'paused', 'not begun', 'quarantined', 'passed over', 'forgotten', 'unaccounted',
  ]),
  why: z.string(),
  nextTryAt: time.nullable(),
  attempts: z.array(ATTEMPT),
  next: NEXT,
}); // prettier-ignore

export const RECORDED = z
  .strictObject({
    id: z.string().nullable(),
    entityType: z.string().nullable(),
    entityKey: z.string().nullable().describe('null where there is no row, or its key could not be recorded'),
    kind: z.string().nullable(),
    timestamp: time.nullable(),
  })
  .describe('what the log calls the change, also where it is no event');

export const STATE = z.enum(['processed', 'passed over', 'waiting', 'quarantined', 'ignored', 'history']);

export const OBSERVER = z.strictObject({
  name: z.string(),
  verdict: z.enum(['matched', 'undecided', 'condition not met', 'no answer', 'other entity', 'other kind', 'nothing changed', 'other columns', 'not named', 'not in this configuration', 'not known']),
  why: z.string(),
  condition: CONDITION.nullable().describe('null where it was not asked, and where it holds values from outside the file'),
  deliveries: z.array(DELIVERY),
}); // prettier-ignore

export const EVENT: z.ZodType<EventExplanationJson> = named(
  'ExplainedEvent',
  z.strictObject({
    changeNumber: z.int(),
    recorded: RECORDED,
    event: z
      .strictObject({
        id: z.string(),
        entityType: z.string(),
        entityKey: z.string(),
        kind,
        tenant: z.string().nullable(),
        timestamp: time,
        changed: z.array(z.string()).nullable(),
        traceparent: z.string().nullable(),
        tracestate: z.string().nullable(),
        cause: z.string().nullable(),
        backfill: z
          .strictObject({ id: z.string(), observers: z.array(z.string()) })
          .nullable()
          .describe('the backfill that it belongs to, and the observers that take part; null for a change'),
        data: z.unknown(),
        before: z.unknown(),
      })
      .nullable()
      .describe('null for a change that is no event'),
    state: STATE,
    why: z.string(),
    version: z.int().nullable().describe('of the configuration that it is explained by'),
    observers: z.array(OBSERVER),
    notes: z.array(z.string()),
  }),
); // prettier-ignore

const PREVIEW = {
  events: count,
  count: count.describe('deliveries'),
  unanswerable: count.describe('conditions without an answer: nothing is sent'),
  unreadable: count,
  sample: z.array(
    z.strictObject({
      changeNumber: z.int(),
      timestamp: time,
      entity: z.string(),
      event: z.string(),
      observer: z.string(),
      action: z.string(),
      deliveredAt: time.nullable().describe('null: not, as far as is on record'),
    }),
  ),
  delivered: z
    .strictObject({ count, first: time.nullable(), last: time.nullable() })
    .describe('of the deliveries those that have been made before, or needed none'),
  unknown: count.describe('of the deliveries those whose tries may no longer be on record'),
  token: z.string().nullable().describe('stands for exactly these; null when there are none'),
};

export const REPLAY_PREVIEW: z.ZodType<ReplayPreview & { dryRun: true }> = named(
  'ReplayPreview',
  z.strictObject({ dryRun: z.literal(true), ...PREVIEW }),
  'what would be sent; nothing was changed',
);

export const REPLAYED = named(
  'Replayed',
  z.strictObject({
    dryRun: z.literal(false),
    queued: z.array(z.strictObject({ changeNumber: z.int(), observer: z.string(), action: z.string() })),
    alreadyUnderWay: count.describe('not begun twice'),
  }),
);

const FOUND_EVENT: z.ZodType<FoundEvent> = named(
  'FoundEvent',
  z.strictObject({
    change: z.int(),
    event: z.string(),
    entityType: z.string(),
    entityKey: z.string().nullable(),
    kind: z.string(),
    written: time,
    foundIn: z.array(z.enum(['entity', 'event', 'change', 'data', 'before', 'error', 'note'])),
    excerpt: z.string().nullable().describe('around the first word that was found in a text'),
  }),
);

export const FOUND = named(
  'Found',
  z.strictObject({
    found: z.array(FOUND_EVENT).describe('in the order that was asked for'),
    ended: z
      .enum(['limit', 'time', 'end'])
      .describe('limit: there may be more; time: what lies behind `reached` has not been looked at; end: that is all'),
    looked: count.describe('changes that were looked at'),
    reached: z.strictObject({ change: z.int(), written: time }).nullable().describe('the last of them'),
    next: z.string().nullable().describe('cursor of the next page; null when that is all'),
    counts: z
      .array(z.strictObject({ value: z.string(), count }))
      .nullable()
      .describe('with count_by the tries of what was found: most first, hours in their order'),
  }),
  'masked and excluded columns are not stored, and cannot be found',
);
