import { z } from 'zod';
import type { UnaccountedDelivery } from '../../audit/audits.service';
import { count, named, time } from './registry';

export const UNACCOUNTED = named(
  'Unaccounted',
  z.strictObject({
    items: z
      .array(
        z.strictObject({
          changeNumber: z.int(),
          observer: z.string(),
          action: z.string(),
          event: z.string().nullable().describe('null when its change is stored no longer'),
          entityType: z.string().nullable(),
          entityKey: z.string().nullable(),
          version: z.int().describe('of the configuration that asks for it'),
          foundAt: time,
        }) satisfies z.ZodType<UnaccountedDelivery>,
      )
      .describe('the oldest changes first'),
  }),
);

export const DISMISSED = named('Dismissed', z.strictObject({ dismissed: count }));

export const CONFIG_VERSIONS = named(
  'ConfigVersions',
  z.strictObject({
    items: z
      .array(
        z.strictObject({
          version: z.int(),
          recordedAt: time,
          by: z.string(),
          ledFrom: time.nullable().describe('when it last began to decide the events of the stream; null: never'),
          current: z.boolean(),
        }),
      )
      .describe('newest first'),
  }),
);

const SNAPSHOT = z.string().describe('as PostgreSQL writes a pg_snapshot');

const STORED = z.strictObject({
  state: z.enum(['sound', 'foreign', 'ahead']),
  previous: SNAPSHOT,
  target: SNAPSHOT.nullable(),
  after: z.int(),
  epoch: z.int(),
  movedAt: time,
  systemIdentifier: z.string(),
});

export const CHECKPOINT = named(
  'Checkpoint',
  z.strictObject({
    stream: z.string(),
    systemIdentifier: z.string().describe('of this server'),
    now: SNAPSHOT,
    checkpoint: STORED.nullable().describe('null: the stream has never been read'),
    resets: z
      .array(
        z.strictObject({
          at: time,
          by: z.string(),
          reason: z.string().nullable(),
          asked: z.string(),
          foreign: z.boolean(),
          skipped: count,
          readAgain: count,
        }),
      )
      .describe('by hand, newest first'),
  }),
);

const MOVE = {
  stream: z.string(),
  to: z.string().describe('as it was asked for'),
  skipped: count.describe('changes that no observer will be asked about'),
  readAgain: count.describe('changes that are read once more, by the configuration that runs then'),
  onRecord: count.describe('of them those that something is on record of: that is not sent again'),
  forgotten: count.describe('of them those that are older than attempts are kept: what was sent for them is sent again'),
  from: STORED.nullable(),
  cursor: z.strictObject({ previous: SNAPSHOT, target: SNAPSHOT.nullable(), after: z.int() }),
};

export const RESET = named(
  'CheckpointReset',
  z.union([
    z
      .strictObject({ performed: z.literal(false), ...MOVE, token: z.string().describe('does it, for 24 hours') })
      .describe('what it would do; nothing was changed'),
    z.strictObject({ performed: z.literal(true), ...MOVE }).describe('it is moved, and on record'),
  ]),
);
