import type { Pause } from '../event/timing';

/**
 * The lanes of strict observers of which something stands in PostgreSQL: whatever comes next in such a lane has to go there too, behind
 * it. There the head of the lane is queued, running, retrying or parked, and the others are `waiting`; when the head has left, the next
 * becomes the head. Memory: one entry per blocked lane, however many deliveries wait in it.
 */
export class StrictLanes {
  /** By lane: the ledger's group that writes, or wrote, its latest row. */
  private readonly blocked = new Map<string, number>();
  /** Lanes whose head has left, or may have, with the group that records it. */
  private readonly freed = new Map<string, number>();
  /** Lanes that wanted a new head while the one they have was in memory. */
  private readonly occupied = new Set<string>();
  private rechecked: MapIterator<string> | null = null;

  /** @param worker woken when a lane wants a new head */
  constructor(private readonly worker: Pause) {}

  /** Lanes that are blocked when a term begins. */
  inherit(lanes: Iterable<string>): void {
    for (const lane of lanes) this.blocked.set(lane, 0);
  }

  isBlocked(lane: string): boolean {
    return this.blocked.has(lane);
  }

  /** Whether some lane wants a new head. */
  get hasFreed(): boolean {
    return this.freed.size > 0;
  }

  /** A row of the lane is in the ledger's group `group`. */
  block(lane: string, group: number): void {
    this.blocked.set(lane, group);
  }

  /** Lanes that became strict, or were: each is looked at again when the group `newest` is committed. */
  learn(lanes: readonly string[], committed: number, newest: number): void {
    for (const lane of lanes) {
      if (!this.blocked.has(lane)) this.blocked.set(lane, committed);
      this.freed.set(lane, newest);
    }
    if (lanes.length > 0) this.worker.wake();
  }

  /** The head has left; that is recorded in `group`. */
  headLeft(lane: string, group: number): void {
    if (!this.blocked.has(lane)) return;
    this.freed.set(lane, group);
    this.worker.wake();
  }

  /**
   * Lanes that want a new head, as far as PostgreSQL knows all about them. One whose head is in memory, perhaps without a row, has to wait
   * until it has left: the next would be taken for the head.
   *
   * @param committed the ledger's last committed group
   */
  takeFreed(committed: number, limit: number, isInMemory: (lane: string) => boolean): string[] {
    const lanes: string[] = [];
    for (const [lane, group] of this.freed) {
      if (lanes.length >= limit) break;
      if (group > committed || (this.blocked.get(lane) ?? 0) > committed) continue;
      this.freed.delete(lane);
      if (isInMemory(lane)) this.occupied.add(lane);
      else lanes.push(lane);
    }
    return lanes;
  }

  /** Nobody of the lane is in memory any more; what became of the last one is recorded in `group`. */
  vacated(lane: string, group: number): void {
    if (this.occupied.delete(lane)) this.headLeft(lane, group);
  }

  /** PostgreSQL had nothing of this lane when the group `committed` was in: what comes next may go directly, unless more came meanwhile. */
  open(lane: string, committed: number): void {
    const latest = this.blocked.get(lane);
    if (latest === undefined) return;
    if (latest <= committed) this.blocked.delete(lane);
    else this.freed.set(lane, latest);
  }

  /** People skip and discard heads from other processes: a few lanes at a time are looked at again. */
  recheck(count: number): void {
    this.rechecked ??= this.blocked.keys();
    for (let i = 0; i < count; i++) {
      const { value, done } = this.rechecked.next();
      if (done === true) {
        this.rechecked = null;
        return;
      }
      this.freed.set(value, this.blocked.get(value) ?? 0);
    }
  }
}
