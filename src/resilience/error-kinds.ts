import type { ErrorKind } from '../event/outcome';

/** Whose fault a failure is. `nobody`: the receiver works, and does not want this request. */
export type Fault = 'receiver' | 'network' | 'proxy' | 'own' | 'nobody';

interface ErrorRow {
  /** Whether another try may end otherwise. */
  readonly retry: boolean | 'by status';
  /** Only the receiver's own faults open its circuit breaker. */
  readonly fault: Fault | 'by status';
  /** For docs/errors.md: what has happened, as a person would say it. */
  readonly means: string;
}

const again = (fault: ErrorRow['fault'], means: string): ErrorRow => ({ retry: true, fault, means });
const never = (fault: ErrorRow['fault'], means: string): ErrorRow => ({ retry: false, fault, means });

/** The one table of why an attempt can fail. What is decided by it, what a breaker learns and what the documentation says are all read here. */
export const ERROR_KINDS: Readonly<Record<ErrorKind, ErrorRow>> = {
  http_status: {
    retry: 'by status',
    fault: 'by status',
    means: 'the receiver answered with a status that is no success',
  },
  // One of its deliveries may be the cause: each is tried alone.
  batch_refused: again('nobody', 'the receiver refused a batch; each of its deliveries is tried alone'),
  redirect: never('nobody', 'the receiver answered with a redirect, which is not followed'),
  gone: never('nobody', 'the receiver answered 410: its endpoint gets no further requests until a redrive succeeds'),
  timeout: again('receiver', "no complete answer within the endpoint's `timeout`"),
  connection: again('receiver', 'the connection was refused, broken or closed'),
  tls: never('receiver', 'no secure connection: a certificate that is not trusted, has expired or belongs to another name'),
  network: again('network', 'the network of this machine does not reach the receiver'),
  dns: again('network', "the receiver's name could not be resolved"),
  // What is wrong there is mended there, by other people and for all receivers.
  proxy: again('proxy', 'the proxy in between refused, or could not be reached'),
  // Without it the receiver is out of reach: its endpoint is left alone as if it were down itself, and no attempts are used up.
  token: again('receiver', "no access token could be fetched for the endpoint's `auth`: its token server is down, slow or overloaded"),
  token_refused: again('nobody', 'the receiver answered 401 to the access token; the next try goes with a new one'),
  smtp_temporary: again('receiver', 'the mail server answered 4xx: later, perhaps'),
  smtp_rejected: never('nobody', 'the mail server answered 5xx: this mail it will not take'),
  unavailable: again('receiver', 'the server says that it cannot do it now: it is loading, full or without a leader'),
  refused: never('nobody', 'the server says that it will not do it'),
  database_temporary: again('own', 'the database could not do it now: a lost connection, a deadlock, an error that may pass'),
  database_error: never('own', 'the database refused the call'),
  blocked_address: never('own', 'the address is not one that deliveries may go to (`allow_addresses`)'),
  template: never('own', 'a template has no result for this event'),
  busy: again('own', 'a delivery with the same dedup key is under way; waiting for it is no attempt'),
  lookup: again('own', 'a look-up that the delivery needs has failed'),
  condition: never('own', 'the condition has no answer for this event'),
  loop: never('own', 'the change was brought about by too many deliveries, one after the other (`OBSERVERS_MAX_HOPS`)'),
  configuration: never(
    'own',
    'the configuration does not fit: credentials are refused, the observer or its action is no longer there, or the observer is in shadow',
  ),
  lane: again('own', 'it waited in a strict lane that a person gave up'),
  interrupted: again('own', 'this service stopped, or lost the lead, in the middle of the try'),
  internal: again('own', 'a defect of this program; the log has its stack'),
};
