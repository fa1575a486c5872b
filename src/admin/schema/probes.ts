import { z } from 'zod';
import { named } from './registry';

const INDICATOR = z.record(z.string(), z.looseObject({ status: z.enum(['up', 'down']) }));

/** What terminus answers with. */
export const HEALTH = named(
  'Health',
  z.strictObject({
    status: z.enum(['ok', 'error', 'shutting_down']),
    info: INDICATOR.optional(),
    error: INDICATOR.optional(),
    details: INDICATOR,
  }),
);
