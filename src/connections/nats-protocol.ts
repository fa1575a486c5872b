import { jetstream, JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { connect, errors, headers as createHeaders, type MsgHdrs } from '@nats-io/transport-node';
import { messageOf } from '../event/errors';
import { failed, type Outcome } from '../event/outcome';
import { connectionFailure } from './http/network-failure';
import { tlsMessage } from './http/tls-failure';

export { connect, jetstream };

export function headersOf(pairs: readonly (readonly [string, string])[]): MsgHdrs {
  const headers = createHeaders();
  for (const [name, value] of pairs) headers.set(name, value);
  return headers;
}

/** Who answered keeps nothing. */
export const NO_STREAM = failed('refused', 'what answers on this subject of NATS is no stream; nothing is stored');

/** @param timeout milliseconds that the try could take */
export function outcomeOf(error: Error, timeout: number): Outcome {
  const { cause } = error;
  const message = messageOf(error);
  if (error instanceof JetStreamApiError) {
    const { code, description } = error.apiError();
    return failed(code >= 500 ? 'unavailable' : 'refused', `NATS answers: ${description} (${code})`);
  }
  if (error instanceof JetStreamError || error instanceof SyntaxError) return NO_STREAM;
  if (cause instanceof errors.RequestError && cause.isNoResponders())
    return failed('unavailable', 'no stream of NATS takes this subject, or JetStream is not available; create a stream for it');
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError)
    return failed('configuration', 'NATS does not accept the user and password of NATS_URL');
  if (error instanceof errors.PermissionViolationError || cause instanceof errors.PermissionViolationError)
    return failed('configuration', `NATS does not let the user of NATS_URL publish there: ${message}`);
  if (error instanceof errors.TimeoutError || cause instanceof errors.TimeoutError)
    return failed('timeout', `no acknowledgement from NATS within ${timeout} ms`);
  if (error instanceof errors.InvalidArgumentError || error instanceof errors.InvalidSubjectError) return failed('refused', message);
  const source = cause instanceof Error ? cause : error;
  const kind = connectionFailure((source as { code?: string }).code ?? '');
  return failed(kind, kind === 'tls' ? tlsMessage(source) : `NATS: ${messageOf(source)}`);
}
