import { LRUCache } from 'lru-cache';
import type { JsonValue } from '../event/json-document';

/** Of all look-ups together. */
const MOST_ENTRIES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** What an entry costs besides its key and the text of its answer; parsed, a text takes about three times its bytes. */
const OVERHEAD = 200;
const PARSED = 3;

export interface Answer {
  /** Undefined: there is nothing (404). */
  readonly value: JsonValue | undefined;
  /** Monotonic time at which it came. */
  readonly at: number;
}

/** Answers of look-ups in memory; what was not used for longest goes first. How old is too old is not decided here. */
export class LookupCache {
  private readonly entries = new LRUCache<string, Answer>({ max: MOST_ENTRIES, maxSize: MOST_BYTES });

  get(key: string): Answer | undefined {
    return this.entries.get(key);
  }

  /** @param size bytes of the answer's text */
  set(key: string, answer: Answer, size: number): void {
    this.entries.set(key, answer, { size: OVERHEAD + 2 * key.length + PARSED * size });
  }

  get count(): number {
    return this.entries.size;
  }
}
