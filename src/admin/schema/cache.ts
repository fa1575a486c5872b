import { z } from 'zod';
import { named } from './registry';

const text = z.string().min(1).max(8_000);

export const INVALIDATE_BODY = named(
  'CacheInvalidation',
  z.union([
    z.strictObject({ lookup: text.describe('all answers of this look-up') }),
    z.strictObject({ url: text.describe('the answers of this URL, as it is asked for; test-event shows it') }),
  ]),
);

export const INVALIDATED = named(
  'CacheInvalidated',
  z.strictObject({
    invalidated: z.string().describe('the look-up, or the URL'),
    by: z
      .enum(['every instance', 'this instance'])
      .describe('this instance: with OBSERVERS_CACHE_DRIVER=memory each has answers of its own'),
  }),
);
