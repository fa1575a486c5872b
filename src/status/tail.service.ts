import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { readNew, readRecent, readServerStarted, type TailBeginning, type TailCursor, type TailFilter, type TailPage } from './tail.sql';

export { TAIL_OUTCOMES, type TailBeginning, type TailCursor, type TailEntry, type TailFilter, type TailKey, type TailOutcome, type TailPage } from './tail.sql'; // prettier-ignore

/** What happens, in the order in which it became visible. */
@Injectable()
export class Tail {
  constructor(private readonly database: Database) {}

  /** When the server was started: after a crash transactions' numbers may be given out again. */
  serverStarted(): Promise<string> {
    return this.database.use(readServerStarted);
  }

  /** The last entries so far, oldest first, and the place behind them. */
  recent(beginning: TailBeginning, filter: TailFilter): Promise<TailPage> {
    return this.database.use((client) => readRecent(client, beginning, filter));
  }

  /** What is new since that place. */
  since(cursor: TailCursor, filter: TailFilter, limit: number): Promise<TailPage> {
    return this.database.use((client) => readNew(client, cursor, filter, limit));
  }
}
