import { failed, type Outcome } from '../../event/outcome';

export function succeeded(status: number | null = null): Outcome {
  return { ok: true, status };
}

/** Nothing was sent, and nothing need be. */
export function skipped(why: string): Outcome {
  return { ok: true, status: null, skipped: why };
}

/** Another time it may succeed: the observer's `retry` says when. @param after no sooner than in so many milliseconds */
export function retry(message: string, after: number | null = null): Outcome {
  return failed('unavailable', message, { retryAfter: after });
}

/** It would fail again: a dead letter. The message is for the operator, and is kept: no secret, no payload. */
export function refused(message: string): Outcome {
  return failed('refused', message);
}
