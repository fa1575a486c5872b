import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import type { Disposition } from '../resilience/disposition';
import type { EventRun } from './runs';

/** One try, as it ended. */
export interface Try {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
  readonly decided: Disposition;
  /** Milliseconds. */
  readonly duration: number;
}

/** Told of what happens on the path of events: for the log and for metrics. On the hot path: nothing here may wait or throw. */
export interface PipelineListener {
  /** An event has run its course. */
  event?(run: EventRun): void;
  /** Called once for every try on record. */
  tried?(what: Try): void;
  /** A delivery has failed for good, and is a dead letter. @param error one word */
  died?(observer: string, error: string): void;
  quarantined?(reason: string): void;
  /** A delivery was not made, for another with its key was. */
  duplicate?(observer: string): void;
  /** A look-up was answered by the cache, or had to be asked for. */
  lookedUp?(lookup: string, fromCache: boolean): void;
}

/** Several as one. */
export function together(listeners: readonly PipelineListener[]): Required<PipelineListener> {
  return {
    event: (run) => listeners.forEach((one) => one.event?.(run)),
    tried: (what) => listeners.forEach((one) => one.tried?.(what)),
    died: (observer, error) => listeners.forEach((one) => one.died?.(observer, error)),
    quarantined: (reason) => listeners.forEach((one) => one.quarantined?.(reason)),
    duplicate: (observer) => listeners.forEach((one) => one.duplicate?.(observer)),
    lookedUp: (lookup, fromCache) => listeners.forEach((one) => one.lookedUp?.(lookup, fromCache)),
  };
}
