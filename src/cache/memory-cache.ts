import { SystemClock, type Clock } from '../event/clock';
import { FirstTier } from './first-tier';
import { LookupCache, type Asked, type CachedAnswer, type Found, type Invalidation, type Life, type Question } from './lookup-cache';

/** Answers in the memory of this process alone. */
export class MemoryCache extends LookupCache {
  private readonly answers = new FirstTier();

  constructor(private readonly clock: Clock = new SystemClock()) {
    super();
  }

  get(question: Question): CachedAnswer | undefined {
    return this.answers.get(question);
  }

  async find(question: Question, _life: Life, ask: () => Promise<Asked>): Promise<Found> {
    const { round } = this.answers;
    const asked = await ask();
    if ('error' in asked) return asked;
    const answer = { value: asked.value, at: this.clock.monotonic() };
    this.answers.put(question, answer, Buffer.byteLength(asked.text), round);
    return { ...answer, tier: null, refresh: null };
  }

  invalidate(what: Invalidation): Promise<'this instance'> {
    this.answers.forget(what);
    return Promise.resolve('this instance');
  }

  get count(): number {
    return this.answers.count;
  }
}
