import { z } from 'zod';
import { DURATION, parseDuration } from '../units';

// What an error should say lies in the messages; `describe` is what editors show.
const anyDuration = z.string().regex(DURATION, 'expected a duration such as 250ms, 10s, 5m, 1h or 3d');
// A delay becomes a date: it must stay one that PostgreSQL can hold.
export const delay = anyDuration.refine((text) => within(text, '0ms', '365d'), 'expected a duration of at most 365d');
// A timeout becomes a timer: one of more than 24.8 days would run out at once.
export const timeout = anyDuration.refine((text) => within(text, '1ms', '1h'), 'expected a duration from 1ms to 1h');
export const NAME = /^[\w.-]{1,100}$/;
export const NAME_EXPECTED = 'expected a name of letters, digits, "-", "_" and "."';
export const name = z.string().regex(NAME, NAME_EXPECTED);
export const column = z.string().min(1, 'expected the name of a column');
export const url = z.string().min(1, 'expected a URL');
export const headers = z.record(z.string(), z.string());
export const concurrency = z.int().min(1).max(1_000);
const signing = z.strictObject({
  secrets: z.array(z.string()).min(1).describe('whsec_…; the first is current, all sign during a rotation'),
});
const allowAddresses = z
  .array(z.string())
  .describe('CIDR blocks, addresses, host names, private or loopback; public addresses are always allowed');

export const endpointFields = {
  signing: signing.optional(),
  timeout: timeout.optional().describe('from dialling to the last byte of the answer; default 10s'),
  concurrency: concurrency.optional().describe('requests under way at once; default 32'),
  allow_addresses: allowAddresses.optional(),
};

/** Texts that are no duration pass: another check speaks of them. */
function within(text: string, least: string, most: string): boolean {
  const written = parseDuration(text);
  return written === null || (written >= (parseDuration(least) ?? 0) && written <= (parseDuration(most) ?? 0));
}
