import type { ErrorKind, Outcome } from '../event/outcome';
import type { ReceiverVerdict } from './circuit-breaker';
import { ERROR_KINDS, type Fault } from './error-kinds';

export function faultOf(error: ErrorKind, status: number | null): Fault {
  const { fault } = ERROR_KINDS[error];
  if (fault !== 'by status') return fault;
  // 408 is an answer too, but of a server that could not read the request in time.
  return (status ?? 0) >= 500 || status === 408 ? 'receiver' : 'nobody';
}

/** What an outcome says about the receiver; null when it never came to the receiver. */
export function verdictOn(outcome: Outcome): ReceiverVerdict | null {
  if (outcome.ok) return outcome.skipped === undefined ? 'works' : null;
  const fault = faultOf(outcome.error, outcome.status);
  return fault === 'receiver' ? 'fails' : fault === 'nobody' ? 'works' : null;
}
