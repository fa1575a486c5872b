import { LRUCache } from 'lru-cache';
import type { Clock } from '../event/clock';
import { DedupStore, type Claim, type DedupKey } from './dedup-store';

/** Above this the least recently used keys are forgotten, and what has them may be delivered twice: some 200 bytes each. */
const MOST_KEYS = 100_000;

/** Keys of this process: after a restart or a fail-over nothing is known. */
export class MemoryDedup extends DedupStore {
  private readonly entries = new LRUCache<string, { changeNumber: number; done: boolean; until: number }>({ max: MOST_KEYS });

  constructor(private readonly clock: Clock) {
    super();
  }

  claim(key: DedupKey, lease: number): Promise<Claim> {
    const now = this.clock.monotonic();
    const found = this.entries.get(nameOf(key));
    if (found !== undefined && found.until > now) {
      const { changeNumber, done, until } = found;
      if (done) return Promise.resolve({ is: 'done', changeNumber });
      if (changeNumber !== key.changeNumber) return Promise.resolve({ is: 'busy', changeNumber, left: until - now });
    }
    this.entries.set(nameOf(key), { changeNumber: key.changeNumber, done: false, until: now + lease });
    return Promise.resolve({ is: 'granted' });
  }

  done(key: DedupKey, window: number): Promise<void> {
    const now = this.clock.monotonic();
    const found = this.entries.get(nameOf(key));
    // Its lease ran out, and another change has it.
    if (found !== undefined && found.until > now && found.changeNumber !== key.changeNumber) return Promise.resolve();
    this.entries.set(nameOf(key), { changeNumber: key.changeNumber, done: true, until: now + window });
    return Promise.resolve();
  }

  release(key: DedupKey): Promise<void> {
    const found = this.entries.get(nameOf(key));
    if (found?.done === false && found.changeNumber === key.changeNumber) this.entries.delete(nameOf(key));
    return Promise.resolve();
  }
}

function nameOf({ observer, action, key }: DedupKey): string {
  return `${observer}/${action}/${key.toString('base64')}`;
}
