import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { EventExplanation } from './explain';
import { readStreamFacts, type StreamFacts } from './facts.sql';
import { explainChanges, type ExplainOptions } from './read';

/** Why events did, or did not, cause what they should. */
@Injectable()
export class Explanations {
  constructor(private readonly database: Database) {}

  /** In the order of their numbers; changes that are no longer stored are left out. */
  of(changes: readonly number[], options: ExplainOptions): Promise<EventExplanation[]> {
    return this.database.use((client) => explainChanges(client, changes, options));
  }

  /** What the stream as a whole does, as far as the database knows. */
  streamFacts(stream: string): Promise<StreamFacts> {
    return this.database.use((client) => readStreamFacts(client, stream));
  }
}
