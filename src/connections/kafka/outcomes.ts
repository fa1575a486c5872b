import { API_ERROR, KafkaTSApiError } from 'kafka-ts';
import { messageOf } from '../../event/errors';
import { failed, type Outcome } from '../../event/outcome';
import { connectionFailure } from '../http/network-failure';
import { tlsMessage } from '../http/tls-failure';

/** A try's time is over. */
export class KafkaTimeout extends Error {
  override readonly name = 'KafkaTimeout';
}

/** Another message of the partition was given up, and its connection with it. */
export class KafkaDropped extends Error {
  override readonly name = 'KafkaDropped';
}

/** It closes the connection where it should answer. */
export class KafkaHangsUp extends Error {
  override readonly name = 'KafkaHangsUp';
}

const CREDENTIALS = new Set<number>([API_ERROR.SASL_AUTHENTICATION_FAILED, API_ERROR.ILLEGAL_SASL_STATE]);
const RIGHTS = new Set<number>([API_ERROR.TOPIC_AUTHORIZATION_FAILED, API_ERROR.CLUSTER_AUTHORIZATION_FAILED]);
const NO_TOPIC = new Set<number>([API_ERROR.UNKNOWN_TOPIC_OR_PARTITION, API_ERROR.INVALID_TOPIC_EXCEPTION]);
const REFUSALS = new Set<number>([
  API_ERROR.MESSAGE_TOO_LARGE,
  API_ERROR.RECORD_LIST_TOO_LARGE,
  API_ERROR.INVALID_RECORD,
  API_ERROR.INVALID_TIMESTAMP,
  API_ERROR.INVALID_REQUIRED_ACKS,
  API_ERROR.UNSUPPORTED_FOR_MESSAGE_FORMAT,
  API_ERROR.POLICY_VIOLATION,
  API_ERROR.UNSUPPORTED_VERSION,
]);
/** The same batch with the same sequence number may be taken a little later, or by another broker. */
const PASSING = new Set<number>([
  API_ERROR.UNKNOWN_TOPIC_OR_PARTITION,
  API_ERROR.LEADER_NOT_AVAILABLE,
  // Of a broker that has just been started.
  API_ERROR.COORDINATOR_LOAD_IN_PROGRESS,
  API_ERROR.COORDINATOR_NOT_AVAILABLE,
  API_ERROR.NOT_LEADER_OR_FOLLOWER,
  API_ERROR.REQUEST_TIMED_OUT,
  API_ERROR.NETWORK_EXCEPTION,
  API_ERROR.NOT_ENOUGH_REPLICAS,
  API_ERROR.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  API_ERROR.KAFKA_STORAGE_ERROR,
  API_ERROR.FENCED_LEADER_EPOCH,
  API_ERROR.UNKNOWN_LEADER_EPOCH,
  API_ERROR.UNKNOWN_TOPIC_ID,
  API_ERROR.INCONSISTENT_TOPIC_ID,
]);
const LOST_PRODUCER = new Set<number>([
  API_ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER,
  API_ERROR.UNKNOWN_PRODUCER_ID,
  API_ERROR.INVALID_PRODUCER_EPOCH,
  API_ERROR.INVALID_PRODUCER_ID_MAPPING,
  API_ERROR.PRODUCER_FENCED,
]);

export function codeOf(error: unknown): number | null {
  return error instanceof KafkaTSApiError ? error.errorCode : null;
}

/** What another try within the same attempt may mend; a broken connection among it. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  return code === null
    ? !(error instanceof KafkaTimeout) && !(error instanceof KafkaHangsUp)
    : PASSING.has(code) || LOST_PRODUCER.has(code);
}

export function isLostProducer(error: unknown): boolean {
  return LOST_PRODUCER.has(codeOf(error) ?? 0);
}

/** Nothing of the batch was stored, and the next one may follow with the same sequence number. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error) ?? 0;
  return REFUSALS.has(code) || RIGHTS.has(code);
}

/** @param timeout milliseconds that the try could take */
export function outcomeOf(error: Error, timeout: number): Outcome {
  if (error instanceof KafkaTimeout) return failed('timeout', `no acknowledgement from Kafka within ${timeout} ms`);
  if (error instanceof KafkaDropped || error instanceof KafkaHangsUp) return failed('connection', error.message);
  const code = codeOf(error);
  if (code !== null) return answered(code, messageOf(error));
  return unreachable(error);
}

function answered(code: number, message: string): Outcome {
  if (CREDENTIALS.has(code)) return failed('configuration', 'Kafka does not accept the user and password of KAFKA_URL');
  if (code === API_ERROR.UNSUPPORTED_SASL_MECHANISM)
    return failed('configuration', 'Kafka does not offer this way to log in; correct ?sasl= in KAFKA_URL');
  if (RIGHTS.has(code)) return failed('configuration', `Kafka does not let the user of KAFKA_URL write to this topic: ${message}`);
  if (NO_TOPIC.has(code))
    return failed('configuration', 'the Kafka of KAFKA_URL has no such topic; create it, or correct topic of the action');
  return failed(REFUSALS.has(code) ? 'refused' : 'unavailable', `Kafka answers: ${message}`);
}

/** The client keeps the text of a failure, and not its code. */
function unreachable(error: Error): Outcome {
  const message = messageOf(error);
  const code = /\b(E[A-Z_]{4,})\b/.exec(message)?.[1] ?? CERTIFICATES.find(([pattern]) => pattern.test(message))?.[1] ?? '';
  const kind = /timed out/.test(message) ? 'timeout' : connectionFailure(code);
  return failed(kind, kind === 'tls' ? tlsMessage(Object.assign(new Error(message), { code })) : `Kafka: ${message}`);
}

const CERTIFICATES: readonly (readonly [words: RegExp, code: string])[] = [
  [/self.signed certificate/, 'SELF_SIGNED_CERT_IN_CHAIN'],
  [/unable to (verify|get)/, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  [/certificate has expired/, 'CERT_HAS_EXPIRED'],
  [/certificate is not yet valid/, 'CERT_NOT_YET_VALID'],
  [/altnames/, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  [/wrong version number/i, 'ERR_SSL_WRONG_VERSION_NUMBER'],
  [/packet length/i, 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
  [/alert|secure TLS connection|certificate/i, 'ERR_SSL_OTHER'],
];
