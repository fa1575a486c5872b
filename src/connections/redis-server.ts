import type { Cluster, Redis } from 'ioredis';
import { messageOf } from '../event/errors';
import { failed, type Outcome } from '../event/outcome';
import { within } from '../event/timing';
import { connectionFailure } from './http/network-failure';
import { tlsMessage } from './http/tls-failure';

/** Deliveries whose commands are under way at once. */
export const REDIS_CONCURRENCY = 32;
/** A connection whose other side has vanished without a word is given up after so long, in milliseconds. */
const SILENCE = 15_000;

export type RedisClient = Redis | Cluster;

/** Nothing is queued, repeated or dialled again behind our back: what a try came to is known when it ends. */
const PLAIN = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectionName: 'fraiseql-observers',
} as const;

/** The server or cluster of REDIS_URL. It is dialled when it is needed, and again after it was lost. */
export class RedisServer {
  private connected: Promise<RedisClient> | null = null;
  private closed = false;

  constructor(private readonly url: string) {}

  /** Never rejects: what goes wrong is an outcome. @param timeout milliseconds, dialling included */
  use(timeout: number, work: (redis: RedisClient) => Promise<Outcome>): Promise<Outcome> {
    return within(this.attempt(timeout, work), timeout, () => failed('timeout', `no answer from Redis within ${timeout} ms`));
  }

  /** Commands under way end as `interrupted`. */
  close(): void {
    this.closed = true;
    void this.connected?.then((redis) => redis.disconnect()).catch(() => undefined);
  }

  private async attempt(timeout: number, work: (redis: RedisClient) => Promise<Outcome>): Promise<Outcome> {
    try {
      return await work(await this.connect(timeout));
    } catch (error) {
      return this.closed ? failed('interrupted', 'the service is stopping') : outcomeOf(error as Error);
    }
  }

  private connect(timeout: number): Promise<RedisClient> {
    this.connected ??= this.dial(timeout).catch((error: unknown) => {
      this.connected = null;
      throw error;
    });
    return this.connected;
  }

  private async dial(timeout: number): Promise<RedisClient> {
    const options = { ...PLAIN, connectTimeout: timeout, socketTimeout: SILENCE };
    // Loaded when it is needed: a start has no use for it.
    const { Cluster, Redis } = await import('ioredis');
    const single = new Redis(this.url, { ...options, retryStrategy: () => null });
    await connected(single);
    const clustered = /^redis_mode:cluster/m.test(await single.info('server'));
    if (!clustered) return this.kept(single);
    // Nodes name each other without user, password and TLS: those are the same everywhere.
    const { username, password, tls } = single.options;
    single.disconnect();
    const cluster = new Cluster([this.url], {
      clusterRetryStrategy: () => null,
      lazyConnect: true,
      enableOfflineQueue: false,
      redisOptions: { ...options, username, password, tls },
    });
    await connected(cluster);
    return this.kept(cluster);
  }

  private kept(redis: RedisClient): RedisClient {
    redis.once('end', () => (this.connected = null));
    if (this.closed) redis.disconnect();
    return redis;
  }
}

/** @throws the reason of the connection's end, which its own promise does not know */
async function connected(redis: RedisClient): Promise<void> {
  let reason: Error | null = null;
  redis.on('error', (error: Error) => (reason = error));
  await redis.connect().catch((error: unknown) => {
    redis.disconnect();
    throw reason ?? error;
  });
}

/** The server's first word. Another time, or another server of the same group, it may do it. */
const UNAVAILABLE = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|OOM|NOREPLICAS|MISCONF|UNKILLABLE)\b/;
const NOT_ALLOWED = /^(NOAUTH|WRONGPASS|NOPERM)\b|AUTH .*without any password|invalid password/i;

function outcomeOf(error: Error & { code?: string; lastNodeError?: Error }): Outcome {
  const { lastNodeError } = error;
  if (lastNodeError !== undefined) return outcomeOf(lastNodeError);
  const message = messageOf(error);
  if (NOT_ALLOWED.test(message)) return failed('configuration', `Redis does not let the user and password of REDIS_URL do it: ${message}`);
  if (error.name === 'ReplyError') return failed(UNAVAILABLE.test(message) ? 'unavailable' : 'refused', `Redis answers: ${message}`);
  const kind = connectionFailure(error.code ?? '');
  return failed(kind, kind === 'tls' ? tlsMessage(error) : `Redis: ${message}`);
}
