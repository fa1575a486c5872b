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

export const CHECKPOINT = named(
  'Checkpoint',
  z.strictObject({
    stream: z.string(),
    systemIdentifier: z.string().describe('of this server'),
    now: SNAPSHOT,
    checkpoint: z
      .strictObject({
        state: z.enum(['sound', 'foreign', 'ahead']),
        previous: SNAPSHOT,
        target: SNAPSHOT.nullable(),
        after: z.int(),
        epoch: z.int(),
        movedAt: time,
        systemIdentifier: z.string(),
      })
      .nullable()
      .describe('null: the stream has never been read'),
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
