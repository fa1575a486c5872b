import { z } from 'zod';
import type { UnaccountedDelivery } from '../../../../src/audit/unaccounted.sql';
import type { Audit } from '../../../../src/audit/verify';
import type { BackfillRecord } from '../../../../src/backfill/backfill.sql';
import type { Place, RecordedReset, StoredCheckpoint } from '../../../../src/checkpoint/checkpoint-reset.sql';
import type { PerformedBackfill } from '../../../../src/cli/backfill/perform';
import type { BackfillPreview } from '../../../../src/cli/backfill/preview';
import { trial } from './trials';
import { count, maybe, text, time } from './values';

// What the commands about a whole stream give: checkpoint, audit and backfill.

const place = { previous: text, target: maybe, after: count };
const checkpoint: z.ZodType<StoredCheckpoint> = z.strictObject({
  ...place,
  state: z.enum(['sound', 'foreign', 'ahead']),
  epoch: count,
  movedAt: time,
  systemIdentifier: text,
});
const recordedReset: z.ZodType<RecordedReset> = z.strictObject({
  at: time,
  by: text,
  reason: maybe,
  asked: text,
  foreign: z.boolean(),
  skipped: count,
  readAgain: count,
});
export const checkpointShown: z.ZodType<Place> = z.strictObject({
  stream: text,
  checkpoint: checkpoint.nullable(),
  systemIdentifier: text,
  now: text,
  leader: maybe,
  resets: z.array(recordedReset),
});
export const reset = z.strictObject({
  performed: z.boolean(),
  stream: text,
  to: text,
  state: z.enum(['none', 'sound', 'foreign', 'ahead']),
  skipped: count,
  readAgain: count,
  onRecord: count,
  forgotten: count,
  from: checkpoint.nullable(),
  cursor: z.strictObject(place),
});
const unaccountable = z.strictObject({
  changeNumber: count,
  event: text,
  entityType: text,
  entityKey: text,
  timestamp: text,
  observer: text,
  action: text,
  version: count,
});
export const audit: z.ZodType<Audit> = z.strictObject({
  stream: text,
  changes: count,
  quarantined: count,
  ignored: count,
  passedOver: count,
  notMatched: count,
  delivered: count,
  skipped: count,
  shadow: count,
  dead: count,
  discarded: count,
  parked: count,
  pending: count,
  dismissed: count,
  unaccounted: count,
  list: z.array(unaccountable),
  unverifiable: z.strictObject({ versionUnknown: count, versionUnreadable: count, clock: count, outside: count, size: count }),
});
export const missing: z.ZodType<UnaccountedDelivery> = z.strictObject({
  changeNumber: count,
  observer: text,
  action: text,
  version: count,
  foundAt: time,
  event: maybe,
  entityType: maybe,
  entityKey: maybe,
});
export const backfillFields = {
  id: z.uuid(),
  table: text,
  entity: text,
  observers: z.array(text),
  where: maybe,
  state: z.enum(['running', 'stopped', 'finished', 'cancelled']),
  done: count,
  failed: count,
  expected: count.nullable(),
  startedAt: time,
  startedBy: text,
  endedAt: time.nullable(),
  endedBy: maybe,
};
export const backfill: z.ZodType<BackfillRecord> = z.strictObject(backfillFields);
export const backfillDone: z.ZodType<PerformedBackfill> = z.strictObject({
  id: z.uuid(),
  state: z.enum(['finished', 'stopped']),
  done: count,
  failed: count,
  led: z.boolean(),
  table: text,
  observers: z.array(text),
  unplaced: count,
});
export const backfillPreview: z.ZodType<BackfillPreview> = z.strictObject({
  table: text,
  entity: text,
  observers: z.array(text),
  where: maybe,
  count,
  unplaced: count,
  last: z.strictObject({ id: z.uuid(), state: text, done: count }).nullable(),
  sample: z.array(z.strictObject({ key: text, observers: z.array(trial).nullable(), problem: maybe })),
  notes: z.array(text),
});
