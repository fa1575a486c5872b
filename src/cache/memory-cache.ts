import { LRUCache } from 'lru-cache';
import { LookupCache, type CachedAnswer } from './lookup-cache';

/** Bounds over all look-ups together. */
const MOST_ENTRIES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** What an entry costs besides its key and the text of its answer; parsed, a text takes about three times its bytes. */
const OVERHEAD = 200;
const PARSED = 3;

/** Answers of look-ups in memory; what was not used for longest goes first. How old is too old is not decided here. */
export class MemoryCache extends LookupCache {
  private readonly entries = new LRUCache<string, CachedAnswer>({ max: MOST_ENTRIES, maxSize: MOST_BYTES });

  get(key: string): CachedAnswer | undefined {
    return this.entries.get(key);
  }

  set(key: string, answer: CachedAnswer, size: number): void {
    this.entries.set(key, answer, { size: OVERHEAD + 2 * key.length + PARSED * size });
  }

  get count(): number {
    return this.entries.size;
  }
}
