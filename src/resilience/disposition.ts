import type { Milliseconds, RetryPolicy } from '../event/definitions';
import type { Failed, Outcome } from '../event/outcome';
import { backOff, waitAfter } from './back-off';
import { ERROR_KINDS } from './error-kinds';

/** What becomes of a delivery after one try. */
export type Disposition =
  | { readonly is: 'succeeded' }
  /** Nothing was to be done. */
  | { readonly is: 'skipped' }
  | {
      readonly is: 'retry';
      readonly after: Milliseconds;
      /** False when the receiver itself asked to wait, or the try was none: that one does not count. */
      readonly counts: boolean;
      /** In a row, this one included; on record with the delivery. */
      readonly appointments: number;
      /** What else the attempt's message has to say. */
      readonly note: string | null;
    }
  | {
      readonly is: 'dead';
      /** Why no further try is made. */ readonly because: string;
      readonly note: string | null;
    };

export interface Tries {
  /** Tries that counted, this one included. */
  readonly attempt: number;
  /** Appointments in a row that came before this try. */
  readonly appointments: number;
  /** Since the first try began. */
  readonly elapsed: Milliseconds;
  /** In [0, 1). */
  readonly random: number;
}

// A receiver that says 408, 425 or 429 means "later"; any other 4xx says that the same request will be refused again.
const LATER = new Set([408, 425, 429]);
/** With these a Retry-After is an appointment, not a failure. */
const APPOINTMENT = new Set([429, 503]);
/** So many appointments in a row use up no attempt. A receiver that never does anything but ask for later has then failed. */
export const FREE_APPOINTMENTS = 20;
/** Nobody is asked again sooner by appointment, whatever it says: `Retry-After: 0` would be a loop at the speed of the receiver. */
export const SOONEST_APPOINTMENT: Milliseconds = 1_000;

/** The one place that decides. Total: every outcome has exactly one disposition. */
export function disposition(outcome: Outcome, policy: RetryPolicy, tries: Tries): Disposition {
  if (outcome.ok) return { is: outcome.skipped === undefined ? 'succeeded' : 'skipped' };
  if (!isRetryable(outcome)) return { is: 'dead', because: 'trying again would give the same answer', note: null };
  const { wait, counts, appointments } = outcome.error === 'busy' ? untilFree(outcome, tries) : next(outcome, policy, tries);
  const note = appointments > FREE_APPOINTMENTS ? tooMany(appointments) : null;
  if (wait === null) return { is: 'dead', because: exhausted(policy, tries), note };
  if (policy.maxElapsed !== null && tries.elapsed + wait > policy.maxElapsed) {
    return { is: 'dead', because: `max_elapsed (${Math.round(policy.maxElapsed / 1000)} s) is used up`, note };
  }
  return { is: 'retry', after: wait, counts, appointments, note };
}

interface Next {
  /** Null when the policy grants no further try. */
  readonly wait: Milliseconds | null;
  readonly counts: boolean;
  readonly appointments: number;
}

/**
 * Another delivery with the same dedup key is under way. Nobody was asked, and it ends by itself, by its lease at the latest: so this wait is
 * ours, short, and neither an attempt nor an appointment.
 */
function untilFree({ retryAfter }: Failed, { appointments }: Tries): Next {
  return { wait: retryAfter ?? 0, counts: false, appointments };
}

function next({ retryAfter, status }: Failed, policy: RetryPolicy, { attempt, appointments: before, random }: Tries): Next {
  // Absurd appointments (ten years) are capped at the longest wait that the policy itself would take.
  const asked = retryAfter === null ? null : Math.min(retryAfter, Math.max(policy.maxDelay, ...policy.schedule));
  const isAppointment = asked !== null && APPOINTMENT.has(status ?? 0);
  const appointments = isAppointment ? before + 1 : 0;
  const counts = !isAppointment || appointments > FREE_APPOINTMENTS;
  const own = counts ? backOff(policy, attempt, random) : waitAfter(policy, attempt, random);
  const wait = own === null ? null : Math.max(own, asked ?? 0, isAppointment ? SOONEST_APPOINTMENT : 0);
  return { wait, counts, appointments };
}

/** The number of the try is that on record: a redrive is one more than the policy grants. */
function exhausted({ maxAttempts }: RetryPolicy, { attempt }: Tries): string {
  if (attempt > maxAttempts) return `attempt ${attempt} failed, and max_attempts is ${maxAttempts}`;
  return maxAttempts === 1 ? 'its only attempt failed' : `all ${maxAttempts} attempts failed`;
}

function tooMany(appointments: number): string {
  return `it has asked for a later time (Retry-After) ${appointments} times in a row, and only ${FREE_APPOINTMENTS} of these use up no attempt`;
}

function isRetryable(outcome: Failed): boolean {
  const { retry } = ERROR_KINDS[outcome.error];
  if (retry !== 'by status') return retry;
  const status = outcome.status ?? 0;
  return status >= 500 || LATER.has(status);
}
