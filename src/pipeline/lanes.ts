/** A delivery that waits its turn: in a lane, or at an endpoint. */
export interface LaneTask {
  /** Its turn has come. It must call `leave` when the next one may go. */
  start(): void;
}

/**
 * The deliveries of one entity to one action go one after the other, in the order in which they entered; lanes run side by side.
 * A lane exists while somebody is in it: memory is bounded by what is in flight.
 */
export class Lanes<T extends LaneTask> {
  private readonly lanes = new Map<string, T[]>();

  enter(lane: string, task: T): void {
    const queue = this.lanes.get(lane);
    if (queue !== undefined) {
      queue.push(task);
      return;
    }
    this.lanes.set(lane, [task]);
    task.start();
  }

  /** Leaves from the head (the next one starts), or gives up a place further back. */
  leave(lane: string, task: T): void {
    const queue = this.lanes.get(lane);
    const place = queue?.indexOf(task) ?? -1;
    if (queue === undefined || place === -1) return;
    queue.splice(place, 1);
    if (queue.length === 0) this.lanes.delete(lane);
    else if (place === 0) queue[0]?.start();
  }

  /** Those that entered after it and wait, in their order. */
  behind(lane: string, task: T): readonly T[] {
    const queue = this.lanes.get(lane) ?? [];
    const place = queue.indexOf(task);
    return place === -1 ? [] : queue.slice(place + 1);
  }

  headOf(lane: string): T | undefined {
    return this.lanes.get(lane)?.[0];
  }

  get size(): number {
    return this.lanes.size;
  }
}
