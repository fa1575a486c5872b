/** A duration in milliseconds; the file writes `250ms 10s 5m 1h 3d`. */
export type Milliseconds = number;

/** So many requests in so long; the file writes `200/s`. */
export interface RateLimit {
  readonly count: number;
  readonly per: Milliseconds;
}

/** When an endpoint is left alone for a while. */
export interface BreakerPolicy {
  /** It opens when a larger share of the requests has failed by the receiver's fault; in (0, 1). */
  readonly failureRate: number;
  /** With fewer requests in the window it never opens. */
  readonly minimum: number;
  readonly window: Milliseconds;
  /** Then one request at a time is let through, until one succeeds. */
  readonly openFor: Milliseconds;
}

/** What one endpoint is spared. */
export interface EndpointLimits {
  /** Requests under way at once. */
  readonly concurrency: number;
  readonly rateLimit: RateLimit | null;
  readonly circuitBreaker: BreakerPolicy | null;
}

export function limitsOf({ concurrency, rateLimit, circuitBreaker }: EndpointLimits): EndpointLimits {
  return { concurrency, rateLimit, circuitBreaker };
}

export const DEFAULT_BREAKER: BreakerPolicy = { failureRate: 0.5, minimum: 20, window: 30_000, openFor: 30_000 };

/** A destination: what limits, keep-alive connections and health belong to. */
export interface EndpointDefinition extends EndpointLimits {
  /** The name under `endpoints:`, or `observer/action` for an action that gives its own `url`. */
  readonly name: string;
  /** May hold `{{ }}` in its path and query, never in its origin. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `whsec_…` (HMAC-SHA256) and `whsk_…` (ed25519); the first is current, all sign during a rotation. Empty: unsigned. */
  readonly signingSecrets: readonly string[];
  /** Null: what stands in `headers`, and nothing else. */
  readonly auth: EndpointAuth | null;
  readonly timeout: Milliseconds;
  /** CIDR blocks, addresses, host names, `private` or `loopback` that may be dialled besides public addresses. */
  readonly allowAddresses: readonly string[];
  /** Null: the authorities of this machine, and no client certificate. */
  readonly tls: EndpointTls | null;
  /** `http://user:password@host:port`; null: requests go straight to the receiver. */
  readonly proxy: string | null;
}

/** PEM, as it was read from the files that the observers file names. */
export interface EndpointTls {
  /** The only authorities that are trusted; null: those of this machine. */
  readonly ca: string | null;
  /** The client's certificate and what leads to its authority. */
  readonly cert: string | null;
  readonly key: string | null;
}

/** How the service proves to a receiver who it is, beside what stands in `headers` and the signature of the body. */
export type EndpointAuth = OAuth2Auth | AwsAuth;

/** A token that is fetched with the client's own credentials (RFC 6749, 4.4), and goes along as `Authorization: Bearer`. */
export interface OAuth2Auth {
  readonly type: 'oauth2';
  /** https, or http on this machine; without a template. */
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | null;
  readonly audience: string | null;
  /** Where id and secret stand in the request for a token: in its header, or in its form. */
  readonly clientAuth: 'basic' | 'body';
  /** With the token server; the endpoint's own where the file gives none. */
  readonly tls: EndpointTls | null;
}

/** AWS Signature Version 4 over the request as it is sent. */
export interface AwsAuth {
  readonly type: 'aws_sigv4';
  readonly region: string;
  readonly service: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of credentials that are lent for a while. */
  readonly sessionToken: string | null;
}
