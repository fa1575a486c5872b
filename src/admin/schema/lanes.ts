import { z } from 'zod';
import type { HeldLane, LanesResumed } from '../../redrive/held-lanes.service';
import { count, named } from './registry';

const LANE: z.ZodType<HeldLane> = named(
  'HeldLane',
  z.strictObject({
    observer: z.string(),
    action: z.string(),
    entityType: z.string(),
    entityKey: z.string(),
    state: z
      .enum(['parked', 'retrying', 'running', 'queued', 'paused'])
      .describe('of its head; parked: it has failed for good, and a person decides'),
    changeNumber: z.int(),
    attempts: count.describe('tries of the head'),
    waiting: count.describe('deliveries behind the head'),
    ageSeconds: z.number(),
    error: z.string().nullable(),
    message: z.string().nullable(),
    status: z.int().nullable(),
  }),
  'a lane of a strict observer that something holds up',
);

export const LANES = named(
  'Lanes',
  z.strictObject({
    items: z.array(LANE).describe('parked ones first, then the oldest'),
    total: count.describe('lanes in all'),
  }),
);

export const LANES_RESUMED: z.ZodType<LanesResumed> = named(
  'LanesResumed',
  z.strictObject({
    resumed: count.describe('heads that are tried once more'),
    paused: count.describe('of these: held back for now, for their observers are paused'),
    behind: count.describe('deliveries behind these heads; they go on when their heads have succeeded'),
    left: count.describe('lanes whose heads are under way, queued or put aside already'),
  }),
);

export const LANES_REPAIRED = named(
  'LanesRepaired',
  z.strictObject({ lanes: count.describe('that go on'), deliveries: count.describe('that were taken out of them') }),
);
