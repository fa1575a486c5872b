import type { ErrorKind } from '../../event/outcome';
import { BlockedAddressError } from './outbound-guard';
import { isTlsFailure } from './tls-failure';

/** What connections are ended with when the service stops. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** What a request is given up with that took too long. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** It did not come to the receiver: this machine has no way to it, or to anybody. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE']);

/** What a request failed with that was not answered, by the code of Node or undici. */
export function networkFailure(error: Error): ErrorKind {
  if (error instanceof BlockedAddressError) return 'blocked_address';
  if (error instanceof InterruptedError) return 'interrupted';
  if (error instanceof DeadlineError) return 'timeout';
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return networkFailure(error.errors[0]);
  const { code = '' } = error as { code?: string };
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'timeout';
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return 'configuration';
  return connectionFailure(code);
}

/** What the code of a failed connection (the system's, Node's, OpenSSL's) means. */
export function connectionFailure(code: string): ErrorKind {
  if (NO_ROUTE.has(code)) return 'network';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) return 'dns';
  if (code === 'ETIMEDOUT') return 'timeout';
  return isTlsFailure(code) ? 'tls' : 'connection';
}
