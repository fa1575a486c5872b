import { TokenBucket } from 'limiter';
import type { Milliseconds, RateLimit } from '../event/definitions';

/** What an idle endpoint may get at once: its rate of a tenth of a second, and not that of a whole second or minute. */
const BURST = 100;

/** Spreads the requests of one endpoint over time. Its clock is monotonic. */
export class RateLimiter {
  private readonly bucket: TokenBucket;
  private readonly perMillisecond: number;

  constructor({ count, per }: RateLimit) {
    this.perMillisecond = count / per;
    const bucketSize = Math.max(1, Math.floor(this.perMillisecond * BURST));
    this.bucket = new TokenBucket({ bucketSize, tokensPerInterval: count, interval: per });
    // Otherwise the first request of a slow endpoint (10/h) would wait for six minutes.
    this.bucket.content = bucketSize;
  }

  /** @returns whether a request may be made now; it is counted then */
  take(): boolean {
    return this.bucket.tryRemoveTokens(1);
  }

  /** Until the next request may be made. */
  get wait(): Milliseconds {
    return this.bucket.getWaitTime(1);
  }

  /** How many may be made from now until then. */
  within(milliseconds: Milliseconds): number {
    this.bucket.drip();
    return Math.floor(this.bucket.content + this.perMillisecond * milliseconds);
  }
}
