/** A duration in milliseconds; the file writes `250ms 10s 5m 1h 3d`. */
export type Milliseconds = number;

/** A destination: what limits, keep-alive connections and health belong to. */
export interface EndpointDefinition {
  /** The name under `endpoints:`, or `observer/action` for an action that gives its own `url`. */
  readonly name: string;
  /** May hold `{{ }}` in its path and query, never in its origin. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `whsec_…`; the first is current, all sign during a rotation. Empty: unsigned. */
  readonly signingSecrets: readonly string[];
  readonly timeout: Milliseconds;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** CIDR blocks, addresses, host names, `private` or `loopback` that may be dialled besides public addresses. */
  readonly allowAddresses: readonly string[];
}
