import { createHash, randomUUID } from 'node:crypto';
import type { RedisConnection } from '../connections/redis/dial';
import { RedisUnavailable, type RedisClient } from '../connections/redis/redis-client';
import { Script } from '../connections/redis/script';
import { parseSpelledJson } from '../event/json-document';
import type { CachedAnswer, Invalidation, Life, Question } from './lookup-cache';

/** Longer than any answer lives: an invalidation must outlive what it is about. */
const INVALIDATION = 90 * 86_400_000;

const UNLOCK = new Script(`
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`);

/** What Redis has of a question. */
export interface Seen {
  readonly answer: (Pick<CachedAnswer, 'value'> & { readonly age: number; readonly size: number }) | null;
  /** The invalidations of it so far: an answer that was asked for under other ones counts no more. */
  readonly stamp: string;
}

/**
 * Answers in Redis, for all instances. Each is a string: for how long it was to live, the invalidations that it was asked for under, its text. Every
 * command has one key, so that a cluster may have them anywhere. Nothing here rejects but `invalidate`.
 */
export class SecondTier {
  constructor(private readonly redis: RedisClient) {}

  /** Null: Redis has not answered. */
  async read(question: Question): Promise<Seen | null> {
    const key = this.keyOf(question);
    try {
      const [found, left, ofLookup, ofUrl] = await this.redis.ask((redis) =>
        Promise.all([
          redis.get(key),
          redis.pttl(key),
          redis.get(this.invalidationOf({ lookup: question.lookup })),
          redis.get(this.invalidationOf({ url: question.url })),
        ]),
      );
      const stamp = `${ofLookup ?? ''}/${ofUrl ?? ''}`;
      return { stamp, answer: found === null ? null : answerIn(found, left, stamp) };
    } catch (error) {
      if (error instanceof RedisUnavailable) return null;
      throw error;
    }
  }

  /** @param stamp as it was before the answer was asked for */
  async write(question: Question, text: string, { ttl, staleFor }: Life, stamp: string): Promise<void> {
    const life = ttl + staleFor;
    if (life < 1) return;
    await this.tried((redis) => redis.set(this.keyOf(question), `${life}\n${stamp}\n${text}`, 'PX', life));
  }

  /** Whoever has it asks. @param time milliseconds after which it is anybody's @returns what gives it back; null: somebody else has it, or Redis does not answer */
  async lock(question: Question, time: number): Promise<string | null> {
    const token = randomUUID();
    const taken = await this.tried((redis) => redis.set(this.lockOf(question), token, 'PX', Math.max(1, time), 'NX'));
    return taken === 'OK' ? token : null;
  }

  async unlock(question: Question, token: string): Promise<void> {
    await this.tried((redis) => UNLOCK.run(redis, this.lockOf(question), token));
  }

  /** @throws RedisUnavailable */
  async invalidate(what: Invalidation): Promise<void> {
    const { redis } = this;
    await redis.ask((server) => server.set(this.invalidationOf(what), randomUUID(), 'PX', INVALIDATION));
    const number = await redis.ask((server) => server.incr(this.counter));
    // Only a hint: who does not hear it sees the counter.
    await this.tried((server) => server.publish(this.channel, JSON.stringify({ number, ...what })));
  }

  get counter(): string {
    return this.redis.key('cache:invalidations');
  }

  get channel(): string {
    return this.redis.key('cache');
  }

  private async tried<T>(work: (redis: RedisConnection) => Promise<T>): Promise<T | null> {
    try {
      return await this.redis.ask(work);
    } catch (error) {
      if (error instanceof RedisUnavailable) return null;
      throw error;
    }
  }

  private keyOf({ text }: Question): string {
    return this.redis.key(`cache:answer:${digest(text)}`);
  }

  private lockOf({ text }: Question): string {
    return this.redis.key(`cache:lock:${digest(text)}`);
  }

  private invalidationOf(what: Invalidation): string {
    return this.redis.key('lookup' in what ? `cache:lookup:${digest(what.lookup)}` : `cache:url:${digest(what.url)}`);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** Null: it was asked for before it was invalidated, it has just run out, or it is nothing of ours. */
function answerIn(found: string, left: number, stamp: string): Seen['answer'] {
  const [life = '', asked = '', ...rest] = found.split('\n', 3);
  if (asked !== stamp || left < 0 || rest.length === 0) return null;
  const text = found.slice(life.length + asked.length + 2);
  try {
    const value = text === '' ? undefined : parseSpelledJson(text);
    return { value, age: Math.max(0, Number(life) - left), size: Buffer.byteLength(text) };
  } catch {
    return null;
  }
}
