import type { Reading } from '../checkpoint/progress';
import type { EntityEvent } from '../event/entity-event';
import type { MatchResult } from '../matching/matcher';

/** An event on its way: what matched, and what has become of its deliveries so far. One log line when it is finished. */
export interface EventRun {
  readonly event: EntityEvent;
  readonly reading: Reading;
  readonly results: readonly MatchResult[];
  /** Monotonic time at which it was read. */
  readonly readAt: number;
  /** `observer/action succeeded 204 3 ms`, in the order in which they ended. */
  readonly outcomes: string[];
}
