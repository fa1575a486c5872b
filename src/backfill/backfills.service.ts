import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import { Database } from '../database/database';
import { endBackfill, latestBackfill, listBackfills, readBackfill, type BackfillRecord, type BackfillState, type BackfillSubject } from './backfill.sql'; // prettier-ignore
import { openBackfill, type OpenBackfill, type OpenOptions } from './open';
import { BackfillRun, type BackfillOptions, type BackfillResult } from './run';
import type { BackfillTarget } from './target';

export type { BackfillRecord } from './backfill.sql';

/** Rows that a table has already, sent as events: which runs there are, and working on one. */
@Injectable()
export class Backfills {
  constructor(private readonly database: Database) {}

  /** Unfinished ones first, then the newest. */
  list(limit: number): Promise<BackfillRecord[]> {
    return this.database.use((client) => listBackfills(client, limit));
  }

  read(id: string): Promise<BackfillRecord | null> {
    return this.database.use((client) => readBackfill(client, id));
  }

  /** The last one about the same; an unfinished one where there is one. */
  latest(subject: BackfillSubject): Promise<BackfillState | null> {
    return this.database.use((client) => latestBackfill(client, subject));
  }

  /** Whoever works on it ends too. @returns whether it was unfinished */
  cancel(id: string, who: string): Promise<boolean> {
    return this.database.use((client) => endBackfill(client, id, 'cancelled', who, null));
  }

  /** The unfinished one where it was left, or a new one. @throws OperatorError when another process works on it */
  open(subject: BackfillSubject, options: OpenOptions): Promise<OpenBackfill> {
    return this.database.use((client) => openBackfill(client, subject, options));
  }

  /** Works on it to its end, or until it is stopped. @param reader another connection, on which alone functions of the table's owner run */
  run(reader: ClientBase, target: BackfillTarget, opened: OpenBackfill, options: BackfillOptions): Promise<BackfillResult> {
    return this.database.use((writer) => new BackfillRun({ writer, reader }, target, opened, options).run());
  }
}
