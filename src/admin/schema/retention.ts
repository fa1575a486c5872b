import { z } from 'zod';
import { REMOVABLE, RETAINED } from '../../retention/policy';
import type { RetentionRun, RetentionStatus } from '../../retention/retention.service';
import { count, named, time } from './registry';

export const RETENTION: z.ZodType<RetentionStatus> = named(
  'Retention',
  z.strictObject({
    logAdopted: z
      .boolean()
      .describe('another application made the change log: nothing of it is removed unless OBSERVERS_RETENTION_LOG is set'),
    tables: z.array(
      z.strictObject({
        table: z.enum(RETAINED),
        keeps: z.number().nullable().describe('milliseconds; null: for ever, or, of dedup keys, as long as the observers file says'),
        oldest: time.nullable().describe('of what is kept; of dead letters and quarantine, of those that are settled'),
        rows: z.number().describe('as PostgreSQL estimates them'),
        bytes: z.number().describe('with indexes'),
      }),
    ),
    holds: z
      .array(
        z.strictObject({
          kind: z.enum(['reader', 'foreign reader', 'replay', 'pending', 'dead letter', 'quarantine', 'unaccounted', 'attempt day']),
          name: z.string().nullable(),
          count: count.nullable().describe('changes, or days, up to 10,000; null where nobody counts them'),
          oldest: time.nullable(),
        }),
      )
      .describe('why more is kept than the settings say'),
  }),
);

export const RETENTION_RUN: z.ZodType<RetentionRun> = named(
  'RetentionRun',
  z.strictObject({
    finished: z.boolean().describe('false: time ran out, and there may be more'),
    removed: z.array(z.strictObject({ what: z.enum(REMOVABLE), count })),
  }),
);
