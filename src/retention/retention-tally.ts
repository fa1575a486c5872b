import { Injectable } from '@nestjs/common';
import type { Removable, Retained } from './policy';

/** What this process has removed, for metrics. */
@Injectable()
export class RetentionTally {
  readonly removed = new Map<Removable, number>();
  /** When the oldest that is kept was made, in milliseconds since 1970, as of the last round; empty where this instance does not lead. */
  oldest: ReadonlyMap<Retained, number> = new Map();
  errors = 0;

  add(table: Removable, count: number): void {
    this.removed.set(table, (this.removed.get(table) ?? 0) + count);
  }
}
