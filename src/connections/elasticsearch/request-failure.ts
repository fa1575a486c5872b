import { errors } from '@elastic/elasticsearch';
import { messageOf } from '../../event/errors';
import { failed, type Failed } from '../../event/outcome';
import { networkFailure } from '../http/network-failure';
import { retryAfterOf } from '../http/retry-after';
import { tlsMessage } from '../http/tls-failure';
import { EXCERPT, reasonsOf, type ErrorAnswer } from './outcomes';

/**
 * Of a request as a whole.
 *
 * @param below what went wrong below HTTP, of which the client's own error has only the message
 * @throws what is no failure of a request
 */
export function failureOfRequest(error: unknown, below: Error | null): Failed {
  if (below !== null) {
    const kind = networkFailure(below);
    return failed(kind, kind === 'tls' ? tlsMessage(below, UNKNOWN_AUTHORITY) : messageOf(below));
  }
  if (error instanceof errors.ResponseError) return failureOfStatus(error);
  if (error instanceof errors.ProductNotSupportedError)
    return failed('configuration', 'what answers at ELASTICSEARCH_URL is not Elasticsearch 7.14 or later; correct the URL');
  if (error instanceof errors.DeserializationError) return failed('connection', 'the answer of Elasticsearch is not JSON');
  if (error instanceof errors.NoLivingConnectionsError) return failed('connection', messageOf(error));
  throw error;
}

const UNKNOWN_AUTHORITY =
  "Elasticsearch's certificate comes from no authority that is trusted; if it is meant, set OBSERVERS_ELASTICSEARCH_CA_FILE to the file with its authority's certificate (config/certs/http_ca.crt of the server)";

function failureOfStatus({ statusCode: status = 0, headers = {}, body }: errors.ResponseError): Failed {
  const retryAfter = retryAfterOf(headers['retry-after'], Date.now());
  // What it says then is only who was refused.
  if (status === 401)
    return failed('http_status', 'Elasticsearch does not accept the user of ELASTICSEARCH_URL or the OBSERVERS_ELASTICSEARCH_API_KEY (401)', { status }); // prettier-ignore
  const answer: unknown = (body as { error?: unknown } | undefined)?.error ?? body;
  const known = typeof answer === 'object' && answer !== null && 'type' in answer ? (answer as ErrorAnswer) : null;
  const text = known === null ? (typeof answer === 'string' ? answer : '') : reasonsOf(known);
  const message = `Elasticsearch answered ${status}${known === null ? '' : `, ${known.type}`}`;
  return failed('http_status', message, { status, retryAfter, excerpt: text === '' ? null : text.slice(0, EXCERPT) });
}
