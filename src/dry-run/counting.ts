/** Keys that are counted at once, in one list. */
const MOST = 2_000;

export interface Frequent {
  readonly key: string;
  /** At least so many times. */
  readonly count: number;
  /** At most so many times; the same as `count` as long as there are few keys. */
  readonly atMost: number;
}

/**
 * The most frequent of any number of keys, in bounded memory (Misra and Gries): when there are too many, each loses one, and who has none
 * is forgotten. Of n keys a count is too low by n / 2,001 at the most, and by how much at the most is known.
 */
export class FrequentKeys {
  private readonly counts = new Map<string, number>();
  private lost = 0;

  constructor(private readonly most = MOST) {}

  add(key: string, times: number): void {
    const count = this.counts.get(key);
    if (count !== undefined || this.counts.size < this.most) {
      this.counts.set(key, (count ?? 0) + times);
      return;
    }
    const step = Math.min(times, ...this.counts.values());
    this.lost += step;
    for (const [other, had] of this.counts) {
      if (had === step) this.counts.delete(other);
      else this.counts.set(other, had - step);
    }
    if (times > step) this.add(key, times - step);
  }

  /** The first `n`, most frequent first. */
  top(n: number): Frequent[] {
    const sorted = [...this.counts].sort(([, a], [, b]) => b - a).slice(0, n);
    return sorted.map(([key, count]) => ({ key, count, atMost: count + this.lost }));
  }
}

/** Spans that are open at once. Events come about in the order of their times: what is older has had its last. */
const OPEN = 4_096;

/** The fullest span of time of many moments, in bounded memory. */
export class PeakRate {
  private readonly spans = new Map<number, number>();
  /** In the fullest span. */
  count = 0;
  /** Where it begins, milliseconds since 1970. */
  at = 0;

  /** @param span milliseconds; spans begin at multiples of it */
  constructor(readonly span: number) {}

  add(moment: number): void {
    const begin = Math.floor(moment / this.span) * this.span;
    const count = (this.spans.get(begin) ?? 0) + 1;
    this.spans.set(begin, count);
    if (count > this.count) [this.count, this.at] = [count, begin];
    if (this.spans.size > OPEN) for (const [oldest] of this.spans) return void this.spans.delete(oldest);
  }
}
