/**
 * What a holder of a stream may still do. It is asked before each act, for the process may have been stopped for a minute since the last one.
 */
export interface Mandate {
  /** Every write carries it, and PostgreSQL refuses one that is no longer the newest. */
  readonly epoch: number;
  /** Whether to act now. False for a while when a renewal is late. */
  readonly valid: boolean;
  /** Another instance has taken over: this term is over for good. */
  readonly lost: boolean;
}
