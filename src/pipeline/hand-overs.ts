interface HandedOver {
  readonly changeNumber: number;
  /** The ledger's group that writes its row, or wrote it. */
  readonly group: number;
}

/**
 * What went from memory to PostgreSQL while deliveries were being claimed there. A claim does not see what was committed after it began:
 * of a lane it may bring a later delivery whose earlier one is on its way to the table, and that one has to go first.
 */
export class HandOvers {
  private readonly byLane = new Map<string, HandedOver[]>();

  note(lane: string, changeNumber: number, group: number): void {
    const known = this.byLane.get(lane);
    if (known === undefined) this.byLane.set(lane, [{ changeNumber, group }]);
    else known.push({ changeNumber, group });
  }

  /** Whether an earlier delivery of the lane was handed over that a claim could not see which began when `committed` was the last group. */
  holds(lane: string, changeNumber: number, committed: number): boolean {
    return this.byLane.get(lane)?.some((earlier) => earlier.changeNumber < changeNumber && earlier.group > committed) ?? false;
  }

  /** A claim begins, and no other is under way: it sees all up to the group `committed`. */
  forget(committed: number): void {
    for (const [lane, known] of this.byLane) {
      const unseen = known.filter(({ group }) => group > committed);
      if (unseen.length === 0) this.byLane.delete(lane);
      else if (unseen.length < known.length) this.byLane.set(lane, unseen);
    }
  }
}
