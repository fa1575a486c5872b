import { SECRETS } from './secrets';

/** Why an attempt failed. One word per cause; in attempts, dead letters, logs and filters. */
export type ErrorKind =
  | 'http_status'
  | 'batch_refused'
  | 'redirect'
  | 'gone'
  | 'timeout'
  | 'connection'
  | 'network'
  | 'dns'
  | 'tls'
  | 'proxy'
  /** Its endpoint's `auth` could get no access token. */
  | 'token'
  /** The receiver does not take the access token. */
  | 'token_refused'
  | 'smtp_temporary'
  | 'smtp_rejected'
  /** The server answers that it cannot do it now: loading, full, without a leader. */
  | 'unavailable'
  /** The server answers that it will not do it. */
  | 'refused'
  | 'database_temporary'
  | 'database_error'
  | 'blocked_address'
  | 'template'
  /** A delivery with the same dedup key is under way. */
  | 'busy'
  /** What the delivery needs could not be looked up. */
  | 'lookup'
  | 'condition'
  /** The change was brought about by too many deliveries, one after the other. */
  | 'loop'
  | 'configuration'
  /** It waited in a strict lane that a person gave up. */
  | 'lane'
  | 'interrupted'
  | 'internal';

/** What one try of one delivery came to. Expected failures are data; only broken plumbing throws. */
export type Outcome = Succeeded | Failed;

interface OfRequest {
  /** The same object for all deliveries that one request carried; missing where it carried one. */
  readonly request?: object;
}

export interface Succeeded extends OfRequest {
  readonly ok: true;
  /** HTTP status or SMTP reply code, where there is one. */
  readonly status: number | null;
  /** The attempt is on record already: the action committed it together with what it did. */
  readonly recorded?: true;
  /** Nothing was sent, and nothing need be: why. */
  readonly skipped?: string;
}

export interface Failed extends OfRequest {
  readonly ok: false;
  readonly error: ErrorKind;
  /** One sentence for the operator; never holds a secret or a payload. */
  readonly message: string;
  readonly status: number | null;
  /** What the receiver asked for in `Retry-After`, milliseconds from now; null when it asked for nothing. */
  readonly retryAfter: number | null;
  /** First KiB of the answer's body; null when there was none. */
  readonly excerpt: string | null;
}

export function failed(error: ErrorKind, message: string, more: Partial<Omit<Failed, 'ok' | 'error' | 'message'>> = {}): Failed {
  return { ok: false, error, message, status: null, retryAfter: null, excerpt: null, ...more };
}

/** A try that the end of its connections has cut off, or kept from beginning. */
export const STOPPING = failed('interrupted', 'the service is stopping');

/** What may be told of it: a receiver may have given back what it was sent. */
export function withoutSecrets<O extends Outcome>(outcome: O, secrets = SECRETS): O {
  if (outcome.ok) return outcome.skipped === undefined ? outcome : { ...outcome, skipped: secrets.hide(outcome.skipped) };
  const { message, excerpt } = outcome;
  return { ...outcome, message: secrets.hide(message), excerpt: excerpt === null ? null : secrets.hide(excerpt) };
}
