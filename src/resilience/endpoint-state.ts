/** A circuit breaker, as its leader sees it. */
export interface BreakerState {
  readonly name: string;
  readonly state: 'closed' | 'open' | 'half-open';
  /** Requests in the breaker's window that said something about the receiver. */
  readonly requests: number;
  readonly failures: number;
  /** Milliseconds until one delivery tries; null unless it is open. */
  readonly probeIn: number | null;
}

/** An endpoint that is not simply working, as its leader sees it. */
export interface EndpointState {
  readonly name: string;
  /** Deliveries that wait in memory for a place. */
  readonly waiting: number;
  /** Null when it is closed. `probeIn` in milliseconds; requests and failures of its window. */
  readonly breaker: {
    readonly state: 'open' | 'half-open';
    readonly probeIn: number;
    readonly requests: number;
    readonly failures: number;
  } | null;
}
