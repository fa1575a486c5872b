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
