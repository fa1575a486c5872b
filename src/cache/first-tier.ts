import { LRUCache } from 'lru-cache';
import type { CachedAnswer, Invalidation, Question } from './lookup-cache';

/** Bounds over all look-ups together. */
const MOST_ENTRIES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** An entry costs so many bytes besides its key and the text of its answer. Parsed, a text takes about three times its bytes. */
const OVERHEAD = 300;
const PARSED = 3;

type Entry = CachedAnswer & Pick<Question, 'lookup' | 'url'>;

/** Answers in the memory of this process; what was not used for longest goes first. */
export class FirstTier {
  private readonly entries = new LRUCache<string, Entry>({ max: MOST_ENTRIES, maxSize: MOST_BYTES });
  /** Counts what was invalidated: an answer that was asked for before that is not kept. */
  private invalidations = 0;

  get round(): number {
    return this.invalidations;
  }

  get count(): number {
    return this.entries.size;
  }

  get({ text }: Question): CachedAnswer | undefined {
    return this.entries.get(text);
  }

  /** @param size bytes of the answer's text @param round in which it was asked for */
  put({ lookup, url, text }: Question, { value, at }: CachedAnswer, size: number, round: number): void {
    if (round !== this.invalidations) return;
    this.entries.set(text, { value, at, lookup, url }, { size: OVERHEAD + 2 * (text.length + url.length) + PARSED * size });
  }

  forget(what: Invalidation): void {
    this.invalidations++;
    for (const [text, entry] of this.entries.entries())
      if ('lookup' in what ? entry.lookup === what.lookup : entry.url === what.url) this.entries.delete(text);
  }

  clear(): void {
    this.invalidations++;
    this.entries.clear();
  }
}
