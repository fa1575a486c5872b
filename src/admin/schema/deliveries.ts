import { z } from 'zod';
import { DELIVERY_STATES, type FoundDelivery, type ListedState } from '../../status/deliveries.service';
import { TAIL_OUTCOMES, type TailEntry, type TailOutcome } from '../../status/tail.service';
import { count, named, pageOf, time } from './registry';

export const STATES = z.enum(DELIVERY_STATES as unknown as [ListedState, ...ListedState[]]);
export const OUTCOMES = z.enum(TAIL_OUTCOMES as unknown as [TailOutcome, ...TailOutcome[]]);

const DELIVERY: z.ZodType<FoundDelivery> = named(
  'Delivery',
  z.strictObject({
    id: z.string().nullable().describe('the delivery id, `webhook-id` of what is sent; null when its change is stored no longer'),
    changeNumber: z.int(),
    event: z.string().nullable(),
    entityType: z.string().nullable(),
    entityKey: z.string().nullable(),
    observer: z.string(),
    action: z.string(),
    endpoint: z
      .string()
      .nullable()
      .describe('of what has ended: where the action goes by the configuration that runs; null when it has none such'),
    state: STATES,
    attempts: count,
    error: z.string().nullable().describe('of the last try, where it failed'),
    message: z.string().nullable(),
    status: z.int().nullable(),
    goesAt: time.nullable().describe('when it goes, or its next try does; null where no time is set'),
    at: time.describe('when it began to wait, died, was given up, or ended'),
  }),
  'one action of one observer for one change, with what has become of it',
);

export const DELIVERIES = named('DeliveryPage', pageOf(DELIVERY));

export const TAIL_ENTRY: z.ZodType<TailEntry> = named(
  'TailEntry',
  z.strictObject({
    kind: z.enum(['event', 'attempt', 'dead letter', 'quarantine']),
    at: time,
    change: z.int(),
    event: z.string().nullable(),
    entityType: z.string().nullable(),
    entityKey: z.string().nullable(),
    operation: z.string().nullable(),
    observer: z.string().nullable(),
    action: z.string().nullable(),
    attempt: z.int().nullable(),
    outcome: OUTCOMES.nullable().describe('null for an event: what comes of it follows'),
    error: z.string().nullable(),
    message: z.string().nullable(),
    status: z.int().nullable(),
    durationMs: z.number().nullable(),
    configVersion: z.int().nullable(),
  }),
  'the data of each server-sent event, as `tail --format json` has it; `id` is what to go on from, and the event `end` is the last one',
);
