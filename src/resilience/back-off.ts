import type { Milliseconds, RetryPolicy } from '../event/definitions';

/**
 * How long to wait before the next try, or null when the policy grants none.
 *
 * @param failedAttempts tries that counted so far, 1 after the first failure
 * @param random in [0, 1), for the jitter
 */
export function backOff(policy: RetryPolicy, failedAttempts: number, random: number): Milliseconds | null {
  const granted = policy.strategy === 'schedule' ? Math.min(policy.maxAttempts, policy.schedule.length + 1) : policy.maxAttempts;
  return failedAttempts >= granted ? null : waitAfter(policy, failedAttempts, random);
}

/** The same where the next try costs none: the wait that the policy would take, though it may grant no further attempt. */
export function waitAfter(policy: RetryPolicy, failedAttempts: number, random: number): Milliseconds {
  switch (policy.strategy) {
    case 'fixed':
      return Math.min(policy.initialDelay, policy.maxDelay);
    case 'linear':
      return Math.min(policy.initialDelay * failedAttempts, policy.maxDelay);
    case 'exponential': {
      // Full jitter: deliveries that failed together do not come back together. 2 ** 52 is where doubling stops being exact.
      const ceiling = Math.min(policy.initialDelay * 2 ** Math.min(failedAttempts - 1, 52), policy.maxDelay);
      return Math.round(ceiling * random);
    }
    case 'schedule':
      return policy.schedule[failedAttempts - 1] ?? policy.schedule.at(-1) ?? 0;
  }
}
