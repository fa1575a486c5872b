import type { Logger } from 'pino';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import type { RedisState, RedisUse } from '../../event/redis-state';
import { within } from '../../event/timing';
import { dial, type RedisConnection, type RedisTarget } from './dial';
import { explainRedis, redisErrorOf } from './redis-error';

/** Redis has not done it: it is away, slow, full, or will not. What has asked goes on without. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
}

export interface RedisLimits {
  /** Milliseconds of one call. */
  readonly timeout: number;
  readonly prefix: string;
}

/** Milliseconds to dial, and to load what a server has on its disk. */
const DIAL = 5_000;
const FIRST_DIAL = 10_000;
/** After so many calls without an answer in a row the others do not wait for one: each second one tries. */
const PATIENCE = 5;
const REST = 1_000;

const LATE = Symbol('late');

/**
 * Redis for one use, as long as the process lives. A call is answered within its time-out or fails; nothing waits for a server that is away. The
 * connection comes back by itself.
 */
export class RedisClient {
  private connection: Promise<RedisConnection> | null = null;
  private readonly others = new Set<RedisConnection>();
  private failures = 0;
  private restUntil = 0;
  private unanswered = 0;
  private reason: string | null = null;
  private since = new Date();
  closed = false;

  constructor(
    readonly use: RedisUse,
    private readonly target: RedisTarget | null,
    private readonly limits: RedisLimits,
    private readonly logger: Pick<Logger, 'warn' | 'info'>,
  ) {}

  /** A key, or a channel, of ours. */
  key(name: string): string {
    return `${this.limits.prefix}${name}`;
  }

  /** Dials, and writes something. @param setting what asks for Redis @throws OperatorError when it is not there, or will not */
  async open(setting: string): Promise<void> {
    try {
      const late = (): never => { throw new Error(`no answer within ${FIRST_DIAL / 1_000} s`); }; // prettier-ignore
      await within(this.connect().then((redis) => this.write(redis)), FIRST_DIAL, late); // prettier-ignore
    } catch (error) {
      // It is there, and full: what has no room is done without, as later.
      if (redisErrorOf(error).message.startsWith('OOM')) return this.failed(error);
      const { message, remedy, setting: wrong } = explainRedis(error);
      throw new OperatorError(`${setting}=redis: ${message}`, remedy, wrong ? ExitCode.configuration : ExitCode.connection);
    }
  }

  /** @throws RedisUnavailable */
  async ask<T>(work: (redis: RedisConnection) => Promise<T>): Promise<T> {
    if (this.rests()) {
      this.unanswered++;
      throw new RedisUnavailable(this.reason ?? 'it did not answer');
    }
    try {
      const answer = await within(this.connect().then(work), this.limits.timeout, () => LATE);
      if (answer === LATE) throw new Error(`no answer within ${this.limits.timeout} ms`);
      this.answered();
      return answer as T;
    } catch (error) {
      this.failed(error);
      throw new RedisUnavailable(messageOf(redisErrorOf(error)));
    }
  }

  /** Whether it takes what is written, now and then. Never rejects. */
  async look(): Promise<void> {
    await this.ask((redis) => this.write(redis)).catch(() => undefined);
  }

  /** A connection of its own, for what occupies one. It is cut with the client. @throws what dialling failed with */
  async dedicated(): Promise<RedisConnection> {
    if (this.target === null) throw new Error('REDIS_URL is not set');
    const connection = await dial(this.target, DIAL, 'lasting');
    if (this.closed) connection.disconnect();
    else this.others.add(connection);
    return connection;
  }

  get state(): RedisState {
    const { use, reason, unanswered } = this;
    return { use, up: reason === null, since: this.since.toISOString(), unanswered, reason };
  }

  close(): void {
    this.closed = true;
    void this.connection?.then((redis) => redis.disconnect()).catch(() => undefined);
    for (const other of this.others) other.disconnect();
  }

  private connect(): Promise<RedisConnection> {
    if (this.target === null) return Promise.reject(new Error('REDIS_URL is not set'));
    this.connection ??= dial(this.target, DIAL, 'lasting').then(
      (redis) => {
        if (this.closed) redis.disconnect();
        return redis;
      },
      (error: unknown) => {
        this.connection = null;
        throw error;
      },
    );
    return this.connection;
  }

  private async write(redis: RedisConnection): Promise<void> {
    await redis.set(this.key(`alive:${this.use}`), '1', 'PX', 60_000);
  }

  /** Every call that waits in vain takes the whole time-out. */
  private rests(): boolean {
    const now = performance.now();
    if (this.failures < PATIENCE || this.closed) return this.closed;
    if (now < this.restUntil) return true;
    this.restUntil = now + REST;
    return false;
  }

  private answered(): void {
    this.failures = 0;
    if (this.reason === null) return;
    this.reason = null;
    this.since = new Date();
    this.logger.info({ redis: this.use, unanswered: this.unanswered }, 'Redis answers again');
  }

  private failed(error: unknown): void {
    this.unanswered++;
    if (++this.failures === PATIENCE) this.restUntil = performance.now() + REST;
    const { message } = explainRedis(error);
    if (this.reason === null && !this.closed) {
      this.since = new Date();
      this.logger.warn({ redis: this.use, err: message }, 'Redis does not answer: what needs it goes on without');
    }
    this.reason = message;
  }
}
