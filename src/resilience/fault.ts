import type { ErrorKind, Outcome } from '../event/outcome';
import type { Verdict } from './circuit-breaker';

/** Whose fault a failure is. `nobody`: the receiver works, and does not want this request. */
export type Fault = 'receiver' | 'network' | 'proxy' | 'own' | 'nobody';

const FAULTS: Readonly<Record<ErrorKind, Fault | 'by status'>> = {
  http_status: 'by status',
  batch_refused: 'nobody',
  redirect: 'nobody',
  gone: 'nobody',
  timeout: 'receiver',
  connection: 'receiver',
  tls: 'receiver',
  network: 'network',
  proxy: 'proxy',
  dns: 'network',
  smtp_temporary: 'receiver',
  smtp_rejected: 'nobody',
  unavailable: 'receiver',
  refused: 'nobody',
  database_temporary: 'own',
  database_error: 'own',
  blocked_address: 'own',
  template: 'own',
  busy: 'own',
  lookup: 'own',
  condition: 'own',
  loop: 'own',
  configuration: 'own',
  lane: 'own',
  interrupted: 'own',
  internal: 'own',
};

export function faultOf(error: ErrorKind, status: number | null): Fault {
  const fault = FAULTS[error];
  if (fault !== 'by status') return fault;
  // 408 is an answer too, but of a server that could not read the request in time.
  return (status ?? 0) >= 500 || status === 408 ? 'receiver' : 'nobody';
}

/** What an outcome says about the receiver; null when it never came to the receiver. */
export function verdictOn(outcome: Outcome): Verdict | null {
  if (outcome.ok) return outcome.skipped === undefined ? 'works' : null;
  const fault = faultOf(outcome.error, outcome.status);
  return fault === 'receiver' ? 'fails' : fault === 'nobody' ? 'works' : null;
}
