import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../event/clock';
import type { EndpointLimits } from '../event/definitions';
import type { Outcome } from '../event/outcome';
import { CircuitBreaker } from './circuit-breaker';
import { verdictOn } from './fault';
import { RateLimiter } from './rate-limiter';
import { Turns, type Waiting } from './turns';

/** A delivery that waits for a place. */
export interface GateTask extends Waiting {
  /** It has a place, and must call `leave` when it no longer needs it. */
  start(): void;
  /** It begins only beside fewer than so many others: what it was prepared with may have fewer connections than there are now. */
  readonly most: number;
}

/** Told when a breaker has another state, or other rules. */
export interface BreakerEvents {
  breaker(gate: EndpointGate): void;
}

/** Deliveries of one endpoint that one claim brings at most. */
const MOST_CLAIMED = 200;
/** What a rate limit grants within this time, in milliseconds, is claimed ahead: the table is asked every 200 ms. */
const CLAIM_AHEAD = 250;
/** More waiting than a rate limit grants in this time cannot be waited for in memory. */
const WAIT_IN_MEMORY = 1_000;

/**
 * One endpoint's free places: concurrency, rate limit and circuit breaker together. What finds none waits in memory, for a moment;
 * when that moment is over the delivery is handed over to PostgreSQL, and from then on everything for this endpoint goes there, behind
 * it, until the backlog is worked off. So an endpoint that hangs holds up itself and nobody else, and order within a lane survives the detour.
 */
export class EndpointGate {
  private running = 0;
  private readonly waiting = new Turns<GateTask>();
  /** While the breaker is half-open, the one request that tries; null in any other state. */
  private probe: GateTask | null = null;
  /** Requests for several deliveries whose verdict is in. */
  private readonly heard = new WeakSet<object>();
  private timer: NodeJS.Timeout | null = null;
  private limiter: RateLimiter | null;
  private currentLimits: EndpointLimits;
  /** Whether deliveries of this endpoint may stand `queued` in PostgreSQL; written by `queued` and `drained`. */
  private backlogged = false;
  /** The ledger's group that writes, or wrote, the latest of them. */
  private latestGroup = 0;
  breaker: CircuitBreaker | null;
  /** Tries that were handed over and still run: the endpoint is slow. */
  slow = 0;

  /** Deliveries whose look-ups are under way: they will want a place soon. */
  lookingUp = 0;
  /** Deliveries in memory that belong here, wherever they are; written by the dispatcher. */
  flights = 0;

  constructor(
    readonly name: string,
    limits: EndpointLimits,
    private readonly clock: Clock,
    private readonly events: BreakerEvents,
  ) {
    this.currentLimits = limits;
    this.limiter = limiterOf(limits);
    this.breaker = this.breakerOf(limits);
  }

  get limits(): EndpointLimits {
    return this.currentLimits;
  }

  /** From now on these limits hold. A limiter or a breaker whose own numbers are the same keeps what it has counted. */
  change(limits: EndpointLimits): void {
    const before = this.currentLimits;
    this.currentLimits = limits;
    if (!isDeepStrictEqual(before.rateLimit, limits.rateLimit)) this.limiter = limiterOf(limits);
    if (!isDeepStrictEqual(before.circuitBreaker, limits.circuitBreaker)) {
      this.breaker?.close();
      this.breaker = this.breakerOf(limits);
      this.probe = null;
      this.events.breaker(this);
    }
    this.pump();
  }

  /**
   * Deliveries of this endpoint became `queued`: whoever makes them so says it here, or new ones would overtake them.
   *
   * @param group of the ledger, that writes them; left out where PostgreSQL has them already
   */
  queued(group = 0): void {
    this.backlogged = true;
    this.latestGroup = Math.max(this.latestGroup, group);
  }

  /** PostgreSQL had none of them, and those that were claimed are here, when the ledger's group `committed` was in. */
  drained(committed: number): void {
    if (this.latestGroup <= committed) this.backlogged = false;
  }

  /** New deliveries go behind those in PostgreSQL. Not a count: other processes take rows out of the queue, and put some in. */
  get hasBacklog(): boolean {
    return this.backlogged;
  }

  /** How many deliveries may be fetched from PostgreSQL now. A healthy endpoint gets a second round ahead, so that it is never idle. */
  get claimable(): number {
    if (this.shut) return 0;
    if (this.isHalfOpen) return this.hasTrier ? 0 : 1;
    const places = (this.slow > 0 ? 1 : 2) * this.limits.concurrency - this.running;
    const granted = Math.min(places, this.limiter?.within(CLAIM_AHEAD) ?? MOST_CLAIMED);
    return Math.max(0, Math.min(granted - this.waiting.size - this.lookingUp, MOST_CLAIMED));
  }

  /** Whether a new delivery has to go behind others that stand in PostgreSQL, or will. */
  get mustQueue(): boolean {
    if (this.backlogged || this.shut) return true;
    if (this.isHalfOpen) return this.hasTrier;
    if (this.limiter !== null && this.waiting.size > this.limiter.within(WAIT_IN_MEMORY)) return true;
    return this.slow > 0 && this.running >= this.limits.concurrency;
  }

  /** The breaker is open: nobody need wait here. */
  get shut(): boolean {
    return this.breaker?.state === 'open';
  }

  /** One delivery may try, and no more. */
  get isHalfOpen(): boolean {
    return this.breaker?.state === 'half-open';
  }

  /** Half of the places are free, and there is a backlog that could take them. */
  get isIdle(): boolean {
    return this.backlogged && this.waiting.size === 0 && this.claimable >= this.limits.concurrency / 2;
  }

  /** Nobody would miss it. */
  get isUnused(): boolean {
    return this.flights === 0 && !this.backlogged;
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  enter(task: GateTask): void {
    if (this.waiting.size === 0 && this.take(task)) task.start();
    else this.waiting.add(task);
  }

  /** A try has ended; its place goes to whose turn it is. `outcome` is null when nothing was tried after all. */
  leave(task: GateTask, outcome: Outcome | null): void {
    this.running--;
    // Before anybody is let in: what the breaker is after this verdict decides on the next.
    if (outcome !== null) this.hear(task, outcome);
    // It tried, and came to nothing that speaks of the receiver (no name, a template): another one tries.
    if (this.probe === task) this.probe = null;
    this.pump();
  }

  giveUp(task: GateTask): void {
    this.waiting.delete(task);
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.breaker?.close();
  }

  /**
   * While the breaker is not closed only the probe is believed: a request that was under way when it opened speaks of an earlier time, and
   * would close it, or open it once more with the probe still out.
   */
  private hear(task: GateTask, outcome: Outcome): void {
    const { breaker } = this;
    const verdict = verdictOn(outcome);
    if (breaker === null || verdict === null) return;
    const isProbe = this.probe === task;
    if (isProbe || (breaker.state === 'closed' && this.isNews(outcome))) breaker.record(verdict);
  }

  /** A request says one thing about its receiver, however many deliveries it carries. */
  private isNews({ request }: Outcome): boolean {
    if (request === undefined) return true;
    const known = this.heard.has(request);
    this.heard.add(request);
    return !known;
  }

  /** Somebody tries, or is about to. */
  private get hasTrier(): boolean {
    return this.probe !== null || this.waiting.size + this.lookingUp > 0;
  }

  private breakerOf({ circuitBreaker }: EndpointLimits): CircuitBreaker | null {
    if (circuitBreaker === null) return null;
    return new CircuitBreaker(circuitBreaker, this.clock, () => {
      // Its verdict is in, or a person has decided: it is a request as others are, however long it still takes.
      this.probe = null;
      this.events.breaker(this);
      this.pump();
    });
  }

  private pump(): void {
    for (let { next } = this.waiting; next !== undefined && this.take(next); { next } = this.waiting) {
      this.waiting.took(next);
      next.start();
    }
  }

  private take(task: GateTask): boolean {
    const { isHalfOpen } = this;
    if (this.shut || this.running >= Math.min(this.limits.concurrency, task.most) || (isHalfOpen && this.probe !== null)) return false;
    if (this.limiter?.take() === false) {
      this.timer ??= setTimeout(() => {
        this.timer = null;
        this.pump();
      }, this.limiter.wait);
      return false;
    }
    if (isHalfOpen) this.probe = task;
    this.running++;
    return true;
  }
}

function limiterOf({ rateLimit }: EndpointLimits): RateLimiter | null {
  return rateLimit === null ? null : new RateLimiter(rateLimit);
}
