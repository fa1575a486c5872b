export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

/** Where a Kafka is: some brokers of one cluster, which know the others. */
export interface KafkaAddress {
  readonly brokers: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  /** Null where none is asked for. */
  readonly login: { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string } | null;
}

export const KAFKA_EXPECTED =
  'kafka://user:password@host:9092 (kafka+ssl:// with TLS, several brokers with commas between), and after it ?sasl=plain, scram-sha-256 or scram-sha-512; what is not plain in a password is written %40 and so on';

const URL_PARTS = /^kafka(\+ssl)?:\/\/(?:([^:@/?]+):([^:@/?]+)@)?([^@/?]+)\/?(?:\?sasl=(plain|scram-sha-256|scram-sha-512))?$/;
const HOST = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i;

/** @returns null when the text is no such address */
export function kafkaAddress(text: string): KafkaAddress | null {
  const [, secure, user, secret, hosts = '', sasl] = URL_PARTS.exec(text.trim()) ?? [];
  const brokers = hosts.split(',').map((host) => brokerOf(host.trim()));
  const [username, password] = [decoded(user), decoded(secret)];
  if (brokers.includes(null) || username === null || password === null) return null;
  // A mechanism without anybody to log in is a mistake.
  if (username === undefined && sasl !== undefined) return null;
  const mechanism = (sasl ?? 'scram-sha-512') as SaslMechanism;
  const login = username === undefined || password === undefined ? null : { mechanism, username, password };
  return { brokers: brokers.filter((broker) => broker !== null), tls: secure !== undefined, login };
}

function brokerOf(text: string): { host: string; port: number } | null {
  const [, host, port = '9092'] = HOST.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return null;
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** @returns null when it cannot be */
function decoded(text: string | undefined): string | undefined | null {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
