import { isCancelled, isUnanswered } from '../database/postgres';

/** A full page. */
export const MOST_ROWS = 500;
/** For a reader that begins anew each time: with rows of 16 MiB these take PostgreSQL 2 s to measure, and five pages later it asks for all. */
export const FEW_ROWS = 16;
/** A row that PostgreSQL does not bring alone in three tries, of seconds each, is not measured any more: see PageLimits. */
const TRIES_ALONE = 3;

/**
 * How many rows a page asks for. Each row of a page is measured, so a page of which a tenth had room cost ten times what it brought, and
 * one that takes longer than a statement may costs everything: then fewer are asked for, until the row is alone that is too much.
 */
export class PageSize {
  private triesAlone = 0;

  constructor(public rows = MOST_ROWS) {}

  /** False: a row that is larger than it is cheap to measure is told by its number only. */
  get measured(): boolean {
    return this.triesAlone < TRIES_ALONE;
  }

  /** @param cut whether there was no room for some of the rows */
  came(rows: number, cut: boolean): void {
    this.triesAlone = 0;
    this.rows = cut ? Math.max(1, rows * 2) : Math.min(MOST_ROWS, this.rows * 2);
  }

  /** Reads, and asks for fewer the next time when it was too much. @throws what the reading failed with */
  async reading<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  /** @returns whether the connection goes on, so that the same place can be read in another way */
  failed(error: unknown): boolean {
    const cancelled = isCancelled(error);
    if (!cancelled && !isUnanswered(error)) return false;
    // A server that does not answer may do so for any reason; one that says that it took too long has worked on this row.
    if (cancelled && this.rows === 1) this.triesAlone++;
    this.rows = Math.max(1, Math.floor(this.rows / 8));
    return cancelled;
  }
}
