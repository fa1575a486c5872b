import type { Milliseconds, RetryPolicy } from '../event/definitions';
import type { Failed, Outcome } from '../event/outcome';
import { backOff } from './back-off';
import { ERROR_KINDS } from './error-kinds';

/** What becomes of a delivery after one try. */
export type Disposition =
  | { readonly is: 'succeeded' }
  /** Nothing was to be done. */
  | { readonly is: 'skipped' }
  | {
      readonly is: 'retry';
      readonly after: Milliseconds;
      /** False when the receiver itself asked to wait: that try does not count. */ readonly counts: boolean;
    }
  | { readonly is: 'dead'; /** Why no further try is made. */ readonly because: string };

export interface Tries {
  /** Tries that counted, this one included. */
  readonly attempt: number;
  /** Since the first try began. */
  readonly elapsed: Milliseconds;
  /** In [0, 1). */
  readonly random: number;
}

// A receiver that says 408, 425 or 429 means "later"; any other 4xx says that the same request will be refused again.
const LATER = new Set([408, 425, 429]);
/** With these a Retry-After is an appointment, not a failure. */
const APPOINTMENT = new Set([429, 503]);

/** The one place that decides. Total: every outcome has exactly one disposition. */
export function disposition(outcome: Outcome, policy: RetryPolicy, tries: Tries): Disposition {
  if (outcome.ok) return { is: outcome.skipped === undefined ? 'succeeded' : 'skipped' };
  if (!isRetryable(outcome)) return { is: 'dead', because: 'trying again would give the same answer' };

  // Absurd appointments (ten years) are capped at the longest wait that the policy itself would take.
  const asked = outcome.retryAfter === null ? null : Math.min(outcome.retryAfter, Math.max(policy.maxDelay, ...policy.schedule));
  const appointment = asked !== null && (outcome.error === 'busy' || APPOINTMENT.has(outcome.status ?? 0));
  const wait = appointment ? asked : backOff(policy, tries.attempt, tries.random);
  if (wait === null) return { is: 'dead', because: `all ${policy.maxAttempts} attempts failed` };
  const after = Math.max(wait, asked ?? 0);
  if (policy.maxElapsed !== null && tries.elapsed + after > policy.maxElapsed) {
    return { is: 'dead', because: `max_elapsed (${Math.round(policy.maxElapsed / 1000)} s) is used up` };
  }
  return { is: 'retry', after, counts: !appointment };
}

function isRetryable(outcome: Failed): boolean {
  const { retry } = ERROR_KINDS[outcome.error];
  if (retry !== 'by status') return retry;
  const status = outcome.status ?? 0;
  return status >= 500 || LATER.has(status);
}
