import { maxHeaderSize } from 'node:http';
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

/** What is wrong with an answer that the client could not read; null for whatever else went wrong. */
export function badAnswer(error: Error): string | null {
  const { message, name } = error;
  const { code } = error as { code?: unknown };
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return `the headers of the receiver's answer are longer than ${maxHeaderSize / 1024} KiB`;
  if (name === 'HTTPParserError') return `the receiver's answer is not HTTP/1.1: ${message}`;
  // Only this is asserted of what a receiver says.
  if (code === 'ERR_ASSERTION') return "the receiver's answer is not HTTP/1.1: its status is below 100";
  if (message === 'bad upgrade') return 'the receiver switches protocols (101), and nobody has asked it to';
  return message === 'bad response' ? 'the receiver answers 100 (Continue), and nobody has asked it whether to' : null;
}
