import type { RedisClient } from '../connections/redis/redis-client';
import type { FirstTier } from './first-tier';
import type { Invalidation } from './lookup-cache';
import type { SecondTier } from './second-tier';

/** Milliseconds within which an instance notices what it has not heard. */
const LOOK_EVERY = 1_000;

/**
 * Keeps the first tier of this process in step with what others invalidate. A message says what; they are counted in Redis. Whoever misses one, for its
 * connection was lost or its user may not subscribe, sees by the counter that there was one, and drops everything.
 */
export class InvalidationFeed {
  private begun = false;
  private listening = false;
  /** The last one that was heard or seen; null: nothing was heard yet. */
  private last: number | null = null;

  constructor(
    private readonly redis: RedisClient,
    private readonly far: SecondTier,
    private readonly near: FirstTier,
  ) {}

  /** With the first answer that there is to keep. It ends with the client. */
  begin(): void {
    if (this.begun) return;
    this.begun = true;
    void this.run();
  }

  private async run(): Promise<void> {
    while (!this.redis.closed) {
      if (!this.listening) await this.listen().catch(() => (this.listening = false));
      await this.look().catch(() => undefined);
      await new Promise((again) => setTimeout(again, LOOK_EVERY).unref());
    }
  }

  private async listen(): Promise<void> {
    this.listening = true;
    const connection = await this.redis.dedicated();
    connection.on('message', (_channel: string, message: string) => this.heard(message));
    // Not allowed: the counter is enough.
    await connection.subscribe(this.far.channel).catch(() => connection.disconnect());
  }

  private async look(): Promise<void> {
    const number = Number((await this.redis.ask((redis) => redis.get(this.far.counter))) ?? 0);
    if (this.last !== null && this.last !== number) this.near.clear();
    this.last = number;
  }

  private heard(message: string): void {
    const { number, what } = parsed(message);
    if (number === this.last) return;
    if (this.last !== null && number === this.last + 1 && what !== null) this.near.forget(what);
    else this.near.clear();
    this.last = number;
  }
}

function parsed(message: string): { readonly number: number; readonly what: Invalidation | null } {
  try {
    const { number, lookup, url } = JSON.parse(message) as Record<string, unknown>;
    const what = typeof lookup === 'string' ? { lookup } : typeof url === 'string' ? { url } : null;
    return { number: Number(number), what };
  } catch {
    return { number: Number.NaN, what: null };
  }
}
