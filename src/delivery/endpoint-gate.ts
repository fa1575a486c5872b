import type { LaneTask } from './lanes';

/** Of one endpoint, with one claim. */
const MOST_CLAIMED = 200;

/**
 * One endpoint's free places. What finds none waits in memory, for a moment; when that moment is over the delivery is handed over
 * to PostgreSQL, and from then on everything for this endpoint goes there, behind it, until the backlog is worked off. So an
 * endpoint that hangs holds up itself and nobody else, and order within a lane survives the detour.
 */
export class EndpointGate {
  private running = 0;
  private readonly waiting = new Set<LaneTask>();
  /** Deliveries of this endpoint that stand `queued` in PostgreSQL. Written by hand-over and by claims. */
  backlog = 0;
  /** Tries that were handed over and still run: the endpoint is slow. */
  slow = 0;

  constructor(
    readonly name: string,
    readonly concurrency: number,
  ) {}

  /** How many deliveries may be fetched from PostgreSQL now. A healthy endpoint gets a second round ahead, so that it is never idle. */
  get claimable(): number {
    const places = this.slow > 0 ? this.concurrency : this.concurrency * 2;
    return Math.max(0, Math.min(places - this.running - this.waiting.size, MOST_CLAIMED));
  }

  /** Whether a new delivery has to go behind others that stand in PostgreSQL. */
  get mustQueue(): boolean {
    return this.backlog > 0 || (this.slow > 0 && this.running >= this.concurrency);
  }

  enter(task: LaneTask): void {
    if (this.running >= this.concurrency) {
      this.waiting.add(task);
      return;
    }
    this.running++;
    task.start();
  }

  /** A try has ended: its place goes to whoever waits longest. */
  leave(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.running--;
      return;
    }
    this.waiting.delete(next);
    next.start();
  }

  giveUp(task: LaneTask): void {
    this.waiting.delete(task);
  }
}
