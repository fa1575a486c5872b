import type { WaitingDelivery } from '../../../../src/status/pending.sql';
import { z } from 'zod';
import type { DeadLetterDetails, DeadLetterGroup, DeadLetterItem } from '../../../../src/redrive/dead-letters.sql';
import type { HeldLane } from '../../../../src/redrive/lane-repair.sql';
import { count, maybe, text, time } from './values';

// What the commands about deliveries give: the dead letter queue, lanes, replay and pauses.

const itemFields = {
  id: z.uuid(),
  kind: z.enum(['delivery', 'quarantine']),
  changeNumber: count,
  observer: maybe,
  action: maybe,
  endpoint: maybe,
  entityType: maybe,
  entityKey: maybe,
  error: text,
  message: text,
  status: count.nullable(),
  attempts: count,
  diedAt: time,
};
export const item: z.ZodType<DeadLetterItem> = z.strictObject(itemFields);
const tryOfItem = z.strictObject({
  attempt: count,
  outcome: text,
  error: maybe,
  message: maybe,
  status: count.nullable(),
  durationMs: z.number(),
  at: time,
});
export const details: z.ZodType<DeadLetterDetails> = z.strictObject({
  ...itemFields,
  response: maybe,
  resolvedAt: time.nullable(),
  resolution: maybe,
  configVersion: count.nullable(),
  data: z.json(),
  dataBytes: count.nullable(),
  dataProblem: text.nullable(),
  tries: z.array(tryOfItem),
  history: z.array(
    z.strictObject({
      at: time,
      what: text,
      who: text,
      detail: maybe,
      error: maybe,
      status: count.nullable(),
      configVersion: count.nullable(),
      askedBy: maybe,
    }),
  ),
});
export const group: z.ZodType<DeadLetterGroup> = z.strictObject({ observer: maybe, error: maybe, count, oldest: time, newest: time });
const held = z.strictObject({ name: text, state: z.enum(['open', 'half-open']), probeIn: z.number(), count });
export const itemSet = z.strictObject({ count, sample: z.array(item), token: maybe, held: z.array(held) });
export const takenBack = z.strictObject({
  takenBack: count,
  running: count,
  tried: count,
  left: z.array(z.uuid()),
  unknown: z.array(z.uuid()),
});
export const restored = z.strictObject({ restored: count, gone: count, left: z.array(z.uuid()) });
export const bulk = {
  total: count,
  passed: count,
  asked: count,
  delivered: count,
  failed: count,
  underWay: count,
  waiting: count,
  running: count,
  remaining: count,
  interrupted: z.boolean(),
  stopped: maybe,
  led: z.boolean(),
};
export const lane: z.ZodType<HeldLane> = z.strictObject({
  observer: text,
  action: text,
  entityType: text,
  entityKey: text,
  state: z.enum(['parked', 'retrying', 'running', 'queued', 'paused']),
  changeNumber: count,
  attempts: count,
  waiting: count,
  ageSeconds: z.number(),
  error: maybe,
  message: maybe,
  status: count.nullable(),
});
export const pending: z.ZodType<WaitingDelivery> = z.strictObject({
  changeNumber: count,
  observer: text,
  action: text,
  endpoint: text,
  entityType: maybe,
  entityKey: maybe,
  state: z.enum(['scheduled', 'queued', 'running', 'retrying', 'waiting', 'parked', 'paused']),
  goesAt: time.nullable(),
  attempt: count,
  collapsed: count.nullable(),
  redrive: z.boolean(),
});
export const laneRepair = z.strictObject({ lanes: count, deliveries: count });
export const paused = z.strictObject({ observer: text, since: time, by: text, reason: maybe });
export const replayed = z.strictObject({
  changeNumber: count,
  timestamp: text,
  entity: text,
  event: text,
  observer: text,
  action: text,
  deliveredAt: time.nullable(),
});
