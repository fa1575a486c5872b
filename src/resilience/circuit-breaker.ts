import Opossum from 'opossum';
import type { Clock } from '../event/clock';
import type { BreakerPolicy } from '../event/definitions';

const BUCKETS = 10;

/** What a request says about its receiver; the other half of the requests (our own faults) says nothing. */
export type ReceiverVerdict = 'works' | 'fails';

/**
 * Whether an endpoint is left alone. Fed with verdicts and asked; it runs nothing itself, for who may run is decided together with
 * the other limits of the endpoint.
 *
 *   closed → open → half-open → closed, or open again
 */
export class CircuitBreaker {
  /** Monotonic time at which it becomes half-open; null unless it is open. */
  probeAt: number | null = null;
  private readonly breaker: Opossum<[ReceiverVerdict], void>;

  /** @param onChange called after every change of state */
  constructor(
    policy: BreakerPolicy,
    clock: Clock,
    private readonly onChange: () => void,
  ) {
    // Its timers are monotonic; those of the requests are ours. A failure is thrown, not rejected: so it is counted, and opens, at once.
    this.breaker = new Opossum(
      (verdict: ReceiverVerdict) => {
        if (verdict === 'fails') throw FAILS;
        return WORKS;
      },
      {
        timeout: false,
        errorThresholdPercentage: policy.failureRate * 100,
        volumeThreshold: policy.minimum,
        rollingCountTimeout: policy.window,
        rollingCountBuckets: BUCKETS,
        resetTimeout: policy.openFor,
        rollingPercentilesEnabled: false,
        enableSnapshots: false,
      },
    );
    this.breaker.on('open', () => this.changed(clock.monotonic() + policy.openFor));
    this.breaker.on('halfOpen', () => this.changed(null));
    this.breaker.on('close', () => this.changed(null));
  }

  get state(): 'closed' | 'open' | 'half-open' {
    return this.breaker.opened ? 'open' : this.breaker.halfOpen ? 'half-open' : 'closed';
  }

  /** Milliseconds until it becomes half-open; null unless it is open. */
  probeIn(now: number): number | null {
    return this.probeAt === null ? null : Math.max(0, this.probeAt - now);
  }

  /** Requests in the window that said something about the receiver. */
  get counts(): { readonly requests: number; readonly failures: number } {
    const { fires, failures } = this.breaker.stats;
    return { requests: fires, failures };
  }

  /** Its state is what it is by this verdict when this returns: whoever asks next must not find the one before. */
  record(verdict: ReceiverVerdict): void {
    const wasHalfOpen = this.state === 'half-open';
    // Rejected: it fails, or came so late that the breaker is open already. Both are no news here.
    this.breaker.fire(verdict).catch(() => undefined);
    // By itself a success would close it one promise later.
    if (wasHalfOpen && verdict === 'works') this.breaker.close();
  }

  /** A person knows that the receiver works again. The failures of the window still count. @returns what it was */
  reset(): 'closed' | 'open' | 'half-open' {
    const { state } = this;
    this.breaker.close();
    return state;
  }

  close(): void {
    this.breaker.shutdown();
  }

  private changed(probeAt: number | null): void {
    this.probeAt = probeAt;
    this.onChange();
  }
}

const WORKS = Promise.resolve();
const FAILS = new Error('the receiver failed');
