import { LRUCache } from 'lru-cache';
import type { Clock } from '../event/clock';

/** What a claim found. */
export type Claim =
  | { readonly is: 'granted' }
  /** A delivery with this key was made, and its window is not over. */
  | { readonly is: 'done'; readonly changeNumber: number }
  /** One is under way, for so many milliseconds at most. */
  | { readonly is: 'busy'; readonly changeNumber: number; readonly left: number };

/** One content key of one action of one observer. */
export interface DedupKey {
  readonly observer: string;
  readonly action: string;
  /** SHA-256 of the rendered key. */
  readonly key: Buffer;
  readonly changeNumber: number;
}

/** Content keys in two phases: claimed for as long as a delivery is under way, then done for a window; free again when it failed. */
export interface DedupStore {
  /** A claim of the same change is its own: it may have been left behind by a crash. */
  claim(key: DedupKey, lease: number): Promise<Claim>;
  done(key: DedupKey, window: number): Promise<void>;
  release(key: DedupKey): Promise<void>;
}

/** Above this the least recently used keys are forgotten, and what has them may be delivered twice: some 200 bytes each. */
const MOST_KEYS = 100_000;

/** Lives with the process: after a restart or a fail-over nothing is known. */
export class MemoryDedup implements DedupStore {
  private readonly entries = new LRUCache<string, { changeNumber: number; done: boolean; until: number }>({ max: MOST_KEYS });

  constructor(private readonly clock: Clock) {}

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
    this.entries.set(nameOf(key), { changeNumber: key.changeNumber, done: true, until: this.clock.monotonic() + window });
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
