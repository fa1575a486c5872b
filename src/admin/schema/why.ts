import { z } from 'zod';
import { ABSENCES } from '../../explain/absence';
import type { EntityAnswer } from '../../explain/entity-answers.service';
import { DELIVERY, NEXT, OBSERVER, STATE, RECORDED } from './events';
import { count, named } from './registry';

const CHANGE = z.strictObject({
  changeNumber: z.int(),
  recorded: RECORDED,
  state: STATE,
  why: z.string(),
  version: z.int().nullable().describe('of the configuration that it is explained by'),
  observers: z.array(
    OBSERVER.omit({ condition: true }).extend({
      deliveries: z.array(DELIVERY.omit({ attempts: true }).extend({ tries: count.describe('on record') })),
    }),
  ),
  notes: z.array(z.string()),
  next: NEXT,
});

export const ANSWER: z.ZodType<EntityAnswer> = named(
  'EntityAnswer',
  z.strictObject({
    entity: z.string(),
    key: z.string().describe('as the log writes it'),
    observer: z.string().nullable(),
    changes: z.array(CHANGE).describe('newest first'),
    more: z.boolean().describe('whether the log has older ones'),
    behind: z
      .strictObject({ changes: count, seconds: z.number().min(0), led: z.boolean() })
      .nullable()
      .describe('how far the stream is behind; null where it has read everything'),
    absences: z
      .array(
        z.strictObject({
          reason: z.enum(ABSENCES),
          certain: z.boolean().describe('it is so, as far as the database tells; otherwise it may be'),
          why: z.string(),
          next: NEXT,
        }),
      )
      .describe('why there is no change, or why some may be missing behind these; what is certain first'),
    next: NEXT,
  }),
);
