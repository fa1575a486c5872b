import { messageOf } from '../event/errors';
import { failed, STOPPING, type Outcome } from '../event/outcome';
import { within } from '../event/timing';
import { connectionFailure } from './http/network-failure';
import { tlsMessage } from './http/tls-failure';
import { dial, type RedisConnection, type RedisTarget } from './redis/dial';
import { NOT_ALLOWED, redisErrorOf, UNAVAILABLE } from './redis/redis-error';

/** Deliveries whose commands are under way at once. */
export const REDIS_CONCURRENCY = 32;

/** The server or cluster of REDIS_URL. It is dialled when it is needed, and again after it was lost. */
export class RedisServer {
  private connected: Promise<RedisConnection> | null = null;
  private closed = false;

  constructor(private readonly target: RedisTarget) {}

  /** Never rejects: what goes wrong is an outcome. @param timeout milliseconds, dialling included */
  use(timeout: number, work: (redis: RedisConnection) => Promise<Outcome>): Promise<Outcome> {
    return within(this.attempt(timeout, work), timeout, () => failed('timeout', `no answer from Redis within ${timeout} ms`));
  }

  /** Commands under way end as `interrupted`. */
  close(): void {
    this.closed = true;
    void this.connected?.then((redis) => redis.disconnect()).catch(() => undefined);
  }

  private async attempt(timeout: number, work: (redis: RedisConnection) => Promise<Outcome>): Promise<Outcome> {
    try {
      return await work(await this.connect(timeout));
    } catch (error) {
      return this.closed ? STOPPING : outcomeOf(error);
    }
  }

  private connect(timeout: number): Promise<RedisConnection> {
    this.connected ??= this.dial(timeout).catch((error: unknown) => {
      this.connected = null;
      throw error;
    });
    return this.connected;
  }

  private async dial(timeout: number): Promise<RedisConnection> {
    return this.kept(await dial(this.target, timeout, 'once'));
  }

  private kept(redis: RedisConnection): RedisConnection {
    redis.once('end', () => (this.connected = null));
    if (this.closed) redis.disconnect();
    return redis;
  }
}

function outcomeOf(thrown: unknown): Outcome {
  const error = redisErrorOf(thrown);
  const message = messageOf(error);
  if (error.name === 'CaFileError') return failed('configuration', message);
  if (NOT_ALLOWED.test(message)) return failed('configuration', `Redis does not let the user and password of REDIS_URL do it: ${message}`);
  if (error.name === 'ReplyError') return failed(UNAVAILABLE.test(message) ? 'unavailable' : 'refused', `Redis answers: ${message}`);
  const kind = connectionFailure(error.code ?? '');
  return failed(kind, kind === 'tls' ? tlsMessage(error) : `Redis: ${message}`);
}
