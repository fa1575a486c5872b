import { TLSSocket } from 'node:tls';
import type { Client } from 'pg';
import { isThisMachine } from '../config/hosts';
import { kafkaAddress } from '../config/kafka-address';
import { rabbitServers } from '../config/rabbit-address';
import { redisAddress } from '../config/redis-address';
import type { Settings } from '../config/settings';
import { mailTlsOf } from '../config/settings/connections';
import { ok, warning, type Finding } from './finding';

/** What stands on the way to a server can do: nothing, answer in its place, or read along. */
type Way = 'verified' | 'unverified' | 'clear';

interface Server {
  readonly name: string;
  readonly host: string;
  readonly way: Way;
  /** What makes it verified. */
  readonly remedy: string;
}

/** @param unverified whether this process takes every certificate (NODE_TLS_REJECT_UNAUTHORIZED=0) */
export function encryptionFindings(client: Client, settings: Settings, unverified: boolean): Finding[] {
  const servers = [
    postgres(client),
    ...mail(settings),
    ...redis(settings),
    ...nats(settings),
    ...kafka(settings),
    ...rabbitmq(settings),
    ...elasticsearch(settings),
  ];
  return servers.map((server) => findingOf(unverified && server.way === 'verified' ? { ...server, ...UNVERIFIED } : server));
}

const UNVERIFIED = { way: 'unverified', remedy: 'take NODE_TLS_REJECT_UNAUTHORIZED=0 out of the environment' } as const;

function findingOf({ name, host, way, remedy }: Server): Finding {
  if (way === 'verified') return ok('tls', `${name}: encrypted, and the certificate of ${host} is checked`);
  if (isThisMachine(host))
    return ok('tls', `${name}: ${way === 'clear' ? 'in clear' : 'encrypted, unchecked'}, and does not leave this machine`);
  return way === 'clear'
    ? warning('tls', `${name}: passwords and data go to ${host} in clear`, remedy)
    : warning('tls', `${name}: encrypted, but anybody on the way to ${host} can pass for it: its certificate is not checked`, remedy);
}

/** By the connection as it is: what the URL asks for depends on the driver. */
function postgres(client: Client): Server {
  const { host, ssl, connection } = client as Client & { readonly ssl: unknown; readonly connection: { readonly stream: unknown } };
  const options = typeof ssl === 'object' && ssl !== null ? (ssl as Readonly<Record<string, unknown>>) : {};
  // Verified without its name, it may be any server of the same authority.
  const checked = options['rejectUnauthorized'] !== false && !('checkServerIdentity' in options);
  const way = !(connection.stream instanceof TLSSocket) ? 'clear' : checked ? 'verified' : 'unverified';
  return {
    name: 'PostgreSQL',
    host,
    way,
    remedy: 'sslmode=verify-full in DATABASE_URL, with sslrootcert=FILE for an authority of your own',
  };
}

function mail({ smtpUrl }: Settings): Server[] {
  if (smtpUrl === null) return [];
  const { hostname: host, searchParams } = new URL(smtpUrl);
  const tls = mailTlsOf(smtpUrl);
  const checked = searchParams.get('tls.rejectUnauthorized') !== 'false';
  const way = tls === 'none' || tls === 'offered' ? 'clear' : checked ? 'verified' : 'unverified';
  const remedy = way === 'clear' ? 'take tls=none out of SMTP_URL, or write smtps://' : 'take tls.rejectUnauthorized=false out of SMTP_URL';
  return [{ name: 'SMTP', host, way, remedy }];
}

function redis({ redisUrl }: Settings): Server[] {
  const address = redisUrl === null ? null : redisAddress(redisUrl);
  if (address === null) return [];
  const remedy = `${address.by === 'sentinel' ? 'rediss-sentinel' : 'rediss'}:// in REDIS_URL`;
  return address.hosts.map(({ host }) => ({ name: 'Redis', host, way: address.tls ? 'verified' : 'clear', remedy }));
}

/** Whether TLS is spoken is said by the first for all of a cluster. */
function nats({ natsUrl }: Settings): Server[] {
  const servers = (natsUrl ?? '').split(',').filter((one) => one.trim() !== '').map((one) => new URL(one.trim())); // prettier-ignore
  const way = servers[0]?.protocol === 'tls:' ? 'verified' : 'clear';
  return servers.map(({ hostname: host }) => ({ name: 'NATS', host, way, remedy: 'tls:// in NATS_URL' }));
}

function kafka({ kafkaUrl }: Settings): Server[] {
  const address = kafkaUrl === null ? null : kafkaAddress(kafkaUrl);
  if (address === null) return [];
  return address.brokers.map(({ host }) => ({
    name: 'Kafka',
    host,
    way: address.tls ? 'verified' : 'clear',
    remedy: 'kafka+ssl:// in KAFKA_URL',
  }));
}

function rabbitmq({ rabbitmqUrl }: Settings): Server[] {
  const servers = rabbitmqUrl === null ? [] : (rabbitServers(rabbitmqUrl) ?? []);
  return servers.map(({ protocol, hostname: host }) => ({
    name: 'RabbitMQ',
    host,
    way: protocol === 'amqps:' ? 'verified' : 'clear',
    remedy: 'amqps:// in RABBITMQ_URL',
  }));
}

function elasticsearch({ elasticsearchUrl }: Settings): Server[] {
  return (elasticsearchUrl ?? []).map((node) => {
    const { protocol, hostname: host } = new URL(node);
    return { name: 'Elasticsearch', host, way: protocol === 'https:' ? 'verified' : 'clear', remedy: 'https:// in ELASTICSEARCH_URL' };
  });
}
