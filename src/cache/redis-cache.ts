import type { RedisClient } from '../connections/redis/redis-client';
import type { Clock } from '../event/clock';
import { FirstTier } from './first-tier';
import { InvalidationFeed } from './invalidation-feed';
import { LookupCache, type Asked, type CachedAnswer, type Found, type Invalidation, type Life, type Question } from './lookup-cache';
import { SecondTier, type Seen } from './second-tier';

/** Milliseconds until an instance looks again whether another one has got the answer. */
const LOOK_AGAIN = 15;
/** The lock is short: whoever has it may be gone. */
const LONGEST_LOCK = 10_000;

/**
 * Two tiers: this process's memory, and Redis for all instances. Of several that need the same answer one asks, under a short lock; the others wait for
 * what it finds, no longer than asking would take. Without Redis each asks for itself.
 */
export class RedisCache extends LookupCache {
  private readonly near = new FirstTier();
  private readonly far: SecondTier;
  private readonly feed: InvalidationFeed;

  constructor(
    redis: RedisClient,
    private readonly clock: Clock,
  ) {
    super();
    this.far = new SecondTier(redis);
    this.feed = new InvalidationFeed(redis, this.far, this.near);
  }

  get(question: Question): CachedAnswer | undefined {
    return this.near.get(question);
  }

  async find(question: Question, life: Life, ask: () => Promise<Asked>): Promise<Found> {
    this.feed.begin();
    const { round } = this.near;
    const seen = await this.far.read(question);
    const answer = this.usable(question, life, seen, round);
    if (answer === null) return this.once(question, life, ask, seen);
    if (!answer.isOld) return { ...answer.found, tier: 'redis', refresh: null };
    const token = await this.far.lock(question, lockOf(life));
    const refresh = token === null ? null : this.asked(question, life, ask, { stamp: seen?.stamp ?? null, token });
    return { ...answer.found, tier: 'redis', refresh };
  }

  async invalidate(what: Invalidation): Promise<'every instance'> {
    this.near.forget(what);
    await this.far.invalidate(what);
    // An answer that was read meanwhile was still the old one.
    this.near.forget(what);
    return 'every instance';
  }

  get count(): number {
    return this.near.count;
  }

  /** Asks, unless another instance does. @param seen null: Redis does not answer */
  private async once(question: Question, life: Life, ask: () => Promise<Asked>, seen: Seen | null): Promise<Found> {
    const end = performance.now() + lockOf(life);
    for (let current = seen; current !== null && performance.now() < end;) {
      const token = await this.far.lock(question, lockOf(life));
      const { round } = this.near;
      // The lock may have become free because the answer is there.
      current = await this.far.read(question);
      const answer = this.usable(question, life, current, round);
      if (answer?.isOld === false) {
        if (token !== null) await this.far.unlock(question, token);
        return { ...answer.found, tier: 'redis', refresh: null };
      }
      if (token !== null) return this.finding(question, life, ask, { stamp: current?.stamp ?? null, token });
      await new Promise((again) => setTimeout(again, LOOK_AGAIN));
    }
    return this.finding(question, life, ask, { stamp: null, token: null });
  }

  private async finding(question: Question, life: Life, ask: () => Promise<Asked>, under: Under): Promise<Found> {
    const asked = await this.asked(question, life, ask, under);
    return 'error' in asked ? asked : { value: asked.value, at: this.clock.monotonic(), tier: null, refresh: null };
  }

  private async asked(question: Question, life: Life, ask: () => Promise<Asked>, { stamp, token }: Under): Promise<Asked> {
    const { round } = this.near;
    const asked = await ask();
    if (!('error' in asked)) {
      this.near.put(question, { value: asked.value, at: this.clock.monotonic() }, Buffer.byteLength(asked.text), round);
      if (stamp !== null) await this.far.write(question, asked.text, life, stamp);
    }
    if (token !== null) await this.far.unlock(question, token);
    return asked;
  }

  /** What Redis has, taken into the first tier; null when there is nothing, or it is too old. */
  private usable(question: Question, { ttl, staleFor }: Life, seen: Seen | null, round: number): Usable | null {
    const answer = seen?.answer ?? null;
    if (answer === null || answer.age >= ttl + staleFor) return null;
    const found = { value: answer.value, at: this.clock.monotonic() - answer.age };
    this.near.put(question, found, answer.size, round);
    return { found, isOld: answer.age >= ttl };
  }
}

function lockOf({ timeout }: Life): number {
  return Math.min(timeout, LONGEST_LOCK);
}

/** What an answer is asked for under; null: Redis does not answer, and is not told. */
interface Under {
  readonly stamp: string | null;
  /** Of the lock. */
  readonly token: string | null;
}

interface Usable {
  readonly found: CachedAnswer;
  readonly isOld: boolean;
}
