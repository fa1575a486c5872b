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
