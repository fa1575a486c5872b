import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { recordOperation } from '../database/operation.sql';
import { isLogAdopted } from '../delivery/retention.sql';
import { Pause } from '../event/timing';
import { ChangeLogCut } from './change-log-cut.sql';
import { choresOf } from './chores';
import { policyOf, REMOVABLE, type Removable, type RetentionSettings } from './policy';
import { RetentionTally } from './retention-tally';
import { readHolds, readRetained, type Hold, type RetainedTable } from './status.sql';
import { sweep } from './sweep';

export { HOLDS_COUNTED, type Hold, type RetainedTable } from './status.sql';

export interface RetentionStatus {
  /** Whether another application made the change log. */
  readonly logAdopted: boolean;
  /** `keeps`: milliseconds; null: for ever, or, of dedup keys, as long as the observers file says. */
  readonly tables: readonly (RetainedTable & { readonly keeps: number | null })[];
  /** Why more is kept than the settings say. */
  readonly holds: readonly Hold[];
}

export interface RetentionRun {
  /** False: it was stopped before its end. */
  readonly finished: boolean;
  readonly removed: readonly { readonly what: Removable; readonly count: number }[];
}

/** A transaction, then four times as long nothing: a fifth of one connection. */
const RESTS = 4;

/** What is kept for how long, and removing what is older: for people. The leader does the same by itself (RetentionRounds). */
@Injectable()
export class Retention {
  constructor(
    private readonly database: Database,
    private readonly tally: RetentionTally,
  ) {}

  status(settings: RetentionSettings): Promise<RetentionStatus> {
    return this.database.use(async (client) => {
      const logAdopted = await isLogAdopted(client);
      const policy = policyOf(settings, logAdopted);
      const tables = await readRetained(client);
      const holds = await readHolds(client, policy.change_log ?? settings.retention, settings.retention);
      return { logAdopted, tables: tables.map((table) => ({ ...table, keeps: policy[table.table] })), holds };
    });
  }

  /** Removes all that may go, in short transactions. @param who asks, for the record @throws what the first table that cannot be cleaned up says */
  async run(settings: RetentionSettings, who: string, stopped: () => boolean): Promise<RetentionRun> {
    const adopted = await this.database.use(isLogAdopted);
    const counts = new Map<Removable, number>();
    const pausing = new Pause();
    const finished = await sweep(this.database, choresOf(policyOf(settings, adopted), new ChangeLogCut()), {
      stopped,
      rests: () => RESTS,
      pause: (milliseconds) => pausing.for(milliseconds),
      removed: (table, count) => {
        counts.set(table, (counts.get(table) ?? 0) + count);
        this.tally.add(table, count);
      },
      failed: (_table, error) => {
        throw error;
      },
    });
    const removed = REMOVABLE.flatMap((what) => (counts.has(what) ? [{ what, count: counts.get(what) ?? 0 }] : []));
    await this.database.use((client) =>
      recordOperation(client, { who, what: 'retention: run', items: { finished }, before: null, after: Object.fromEntries(counts) }),
    );
    return { finished, removed };
  }
}
