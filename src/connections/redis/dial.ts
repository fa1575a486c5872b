import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { readAuthorities } from '../../config/ca-file';
import { redisAddress, type RedisAddress } from '../../config/redis-address';
import type { Settings } from '../../config/settings';

export type RedisConnection = Redis | Cluster;

/** Where to, and how: what REDIS_URL and the settings beside it say. */
export interface RedisTarget {
  readonly address: RedisAddress;
  readonly sentinelPassword: string | null;
  readonly caFile: string | null;
}

export type RedisTargetSettings = Pick<Settings, 'redisUrl' | 'redisSentinelPassword' | 'redisCaFile'>;

/** Null where no Redis is configured. */
export function redisTarget({ redisUrl, redisSentinelPassword, redisCaFile }: RedisTargetSettings): RedisTarget | null {
  const address = redisUrl === null ? null : redisAddress(redisUrl);
  return address === null ? null : { address, sentinelPassword: redisSentinelPassword, caFile: redisCaFile };
}

/**
 * `once`: when it is lost, it has ended. `lasting`: it is dialled again and again, and what was asked for meanwhile has failed at once: nothing is
 * queued or repeated behind our back.
 */
export type DialMode = 'once' | 'lasting';

/** A connection whose other side has vanished without a word is given up after so long, in milliseconds. */
const SILENCE = { once: 15_000, lasting: 5_000 } as const;
const LONGEST_WAIT = 2_000;
/** Of a cluster: what was sent to a node that has just gone is tried a few times within the time-out of a call, and not for seconds. */
const QUICK = { maxRedirections: 3, retryDelayOnFailover: 20, retryDelayOnClusterDown: 20, retryDelayOnTryAgain: 20 } as const;

/** The file with authorities cannot be used. */
export class CaFileError extends Error {
  override readonly name = 'CaFileError';
}

/** @param timeout milliseconds for each connection that is dialled @throws what the first connection failed with */
export async function dial(target: RedisTarget, timeout: number, mode: DialMode): Promise<RedisConnection> {
  // Loaded when it is needed: a start without Redis has no use for it.
  const { Cluster, Redis } = await import('ioredis');
  const { address } = target;
  // Once it has been there it is dialled for ever; what was never there is an error.
  const lasting = new Lasting(mode);
  const options = optionsOf(target, timeout, lasting);
  if (address.by === 'sentinel') return lasting.begun(await connected(new Redis({ ...options, ...sentinels(target, options, lasting) })));
  const single = await first(address, (host) => new Redis({ ...options, ...host, db: address.database }));
  const clustered = await isCluster(single).catch((error: unknown) => {
    single.disconnect();
    throw error;
  });
  if (!clustered && address.hosts.length === 1) return lasting.begun(single);
  single.disconnect();
  if (!clustered) throw new Error('several hosts are named, and the first that answers is no node of a cluster');
  if (address.database !== 0) throw new Error(`it is a cluster, which has no database ${address.database}`);
  const cluster = new Cluster([...address.hosts], clusterOptions(address, options, lasting));
  return lasting.begun(await connected(cluster));
}

/** Whether it is dialled again; ioredis asks for it each time. */
class Lasting {
  private there = false;

  constructor(readonly mode: DialMode) {}

  begun<T>(connection: T): T {
    this.there = true;
    return connection;
  }

  readonly wait = (times: number): number | null => (this.mode === 'lasting' && this.there ? Math.min(times * 100, LONGEST_WAIT) : null);
}

function optionsOf({ address, caFile }: RedisTarget, timeout: number, { mode, wait }: Lasting): RedisOptions {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectionName: 'fraiseql-observers',
    connectTimeout: timeout,
    socketTimeout: SILENCE[mode],
    retryStrategy: wait,
    // The master has become a replica: another one is to be found.
    ...(mode === 'lasting' ? { reconnectOnError: (error: Error): boolean => error.message.startsWith('READONLY') } : {}),
    ...(address.username === null ? {} : { username: address.username }),
    ...(address.password === null ? {} : { password: address.password }),
    ...(address.tls ? { tls: authorities(caFile) } : {}),
  };
}

function sentinels({ address, sentinelPassword }: RedisTarget, { tls }: RedisOptions, { mode, wait }: Lasting): RedisOptions {
  return {
    sentinels: [...address.hosts],
    name: address.master ?? '',
    db: address.database,
    sentinelRetryStrategy: wait,
    // They tell of a fail-over, also when the old master says nothing any more.
    failoverDetector: mode === 'lasting',
    ...(sentinelPassword === null ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  };
}

/** Nodes name each other without user, password and TLS: those are the same everywhere. */
function clusterOptions({ tls }: RedisAddress, redisOptions: RedisOptions, { mode, wait }: Lasting): ClusterOptions {
  return {
    clusterRetryStrategy: wait,
    lazyConnect: true,
    enableOfflineQueue: false,
    redisOptions,
    ...(mode === 'lasting' ? { ...QUICK, slotsRefreshInterval: LONGEST_WAIT } : {}),
    // A certificate is for the name that a node is known by, and not for its address.
    ...(tls ? { dnsLookup: (host, found): void => found(null, host) } : {}),
  };
}

function authorities(caFile: string | null): { ca?: string } {
  if (caFile === null) return {};
  const read = readAuthorities(caFile);
  if ('problem' in read) throw new CaFileError(`OBSERVERS_REDIS_CA_FILE: ${read.problem}`);
  return { ca: read.pem };
}

/** @throws when it is one that serves nothing: the client would only say that it could not connect */
async function isCluster(redis: Redis): Promise<boolean> {
  if (!/^redis_mode:cluster/m.test(await redis.info('server'))) return false;
  if (/^cluster_state:fail/m.test(await redis.cluster('INFO'))) throw new Error('CLUSTERDOWN The cluster is down');
  return true;
}

/** The first host that answers. */
async function first({ hosts }: RedisAddress, make: (host: RedisAddress['hosts'][number]) => Redis): Promise<Redis> {
  let reason: unknown = null;
  for (const host of hosts) {
    try {
      return await connected(make(host));
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

/** @throws the reason of the connection's end, which its own promise does not know */
async function connected<C extends RedisConnection>(redis: C): Promise<C> {
  let reason: Error | null = null;
  redis.on('error', (error: Error) => (reason = error));
  await redis.connect().catch((error: unknown) => {
    redis.disconnect();
    throw reason ?? error;
  });
  return redis;
}
