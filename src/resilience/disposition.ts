import type { Milliseconds, RetryPolicy } from '../event/definitions';
import type { ErrorKind, Failed, Outcome } from '../event/outcome';
import { backOff } from './back-off';

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

const RETRYABLE: Readonly<Record<ErrorKind, boolean | 'by status'>> = {
  http_status: 'by status',
  // One of its deliveries may be the cause: each is tried alone.
  batch_refused: true,
  timeout: true,
  connection: true,
  network: true,
  dns: true,
  lane: true,
  // What is wrong there is mended there, by other people and for all receivers.
  proxy: true,
  interrupted: true,
  internal: true,
  smtp_temporary: true,
  smtp_rejected: false,
  unavailable: true,
  refused: false,
  database_temporary: true,
  database_error: false,
  redirect: false,
  gone: false,
  tls: false,
  blocked_address: false,
  template: false,
  busy: true,
  lookup: true,
  condition: false,
  loop: false,
  configuration: false,
};

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
  const retryable = RETRYABLE[outcome.error];
  if (retryable !== 'by status') return retryable;
  const status = outcome.status ?? 0;
  return status >= 500 || LATER.has(status);
}
