import type { Cursor } from './cursor';

/** One event that was read and is not finished. Written by the pipeline on the main thread only. */
export interface Reading {
  /** Where the stream stands once this event and all before it are finished. */
  readonly cursor: Cursor;
  /** Deliveries that are neither recorded nor handed over. */
  open: number;
  finished: boolean;
}

/** Keeps the longest finished prefix of what was read: the checkpoint never passes an event whose outcome is not recorded. */
export class Progress {
  private readings: Reading[] = [];
  private head = 0;
  private moved: Cursor | null = null;
  private frozen = false;

  /** Events read and not finished: what `max_in_flight` bounds. */
  inFlight = 0;

  begin(cursor: Cursor): Reading {
    const reading = { cursor, open: 0, finished: false };
    this.readings.push(reading);
    this.inFlight++;
    return reading;
  }

  /** A place in the stream at which there is nothing to deliver: the end of a window, a row that is no change. */
  pass(cursor: Cursor): void {
    if (this.head === this.readings.length) this.moved = cursor;
    else this.readings.push({ cursor, open: 0, finished: true });
  }

  finish(reading: Reading): void {
    if (reading.finished) return;
    reading.finished = true;
    this.inFlight--;
    while (this.readings[this.head]?.finished) this.moved = this.readings[this.head++]?.cursor ?? this.moved;
    if (this.head > 1_000 || this.head === this.readings.length) {
      this.readings = this.readings.slice(this.head);
      this.head = 0;
    }
  }

  /** The cursor behind which all is finished, if it moved since the last call. */
  take(): Cursor | null {
    const cursor = this.frozen ? null : this.moved;
    this.moved = null;
    return cursor;
  }

  /**
   * From now on the cursor does not move. Snapshots that were taken before a crash of the server mean nothing after it: PostgreSQL
   * gives the numbers of transactions whose records were not flushed (rolled back ones, say) to new transactions, which such a
   * snapshot would call read.
   */
  freeze(): void {
    this.frozen = true;
  }

  /** Whether take() would give a cursor. */
  get hasMoved(): boolean {
    return this.moved !== null && !this.frozen;
  }
}
