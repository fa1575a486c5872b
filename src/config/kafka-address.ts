import { decoded, hostOf, type HostAndPort } from './url-parts';

export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

/** Where a Kafka is: some brokers of one cluster, which know the others. */
export interface KafkaAddress {
  readonly brokers: readonly HostAndPort[];
  readonly tls: boolean;
  /** Null where none is asked for. */
  readonly login: { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string } | null;
}

export const KAFKA_EXPECTED =
  'kafka://user:password@host:9092 (kafka+ssl:// with TLS, several brokers with commas between), and after it ?sasl=plain, scram-sha-256 or scram-sha-512; what is not plain in a password is written %40 and so on';

const URL_PARTS = /^kafka(\+ssl)?:\/\/(?:([^:@/?]+):([^:@/?]+)@)?([^@/?]+)\/?(?:\?sasl=(plain|scram-sha-256|scram-sha-512))?$/;

/** @returns null when the text is no such address */
export function kafkaAddress(text: string): KafkaAddress | null {
  const [, secure, user, secret, hosts = '', sasl] = URL_PARTS.exec(text.trim()) ?? [];
  const brokers = hosts.split(',').map((host) => hostOf(host.trim(), 9092));
  // A mechanism without anybody to log in is a mistake.
  if (brokers.includes(null) || (user === undefined && sasl !== undefined)) return null;
  const [username, password] = [decoded(user ?? ''), decoded(secret ?? '')];
  if (username === null || password === null) return null;
  const mechanism = (sasl ?? 'scram-sha-512') as SaslMechanism;
  const login = user === undefined ? null : { mechanism, username, password };
  return { brokers: brokers.filter((broker) => broker !== null), tls: secure !== undefined, login };
}
