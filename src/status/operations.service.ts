import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { recordOperation, type NewOperation } from '../database/operation.sql';
import { listOperations, type OperationFilter, type RecordedOperation } from './operations.sql';

export type { OperationFilter, RecordedOperation } from './operations.sql';

/** What people have changed, by whatever door. */
@Injectable()
export class Operations {
  constructor(private readonly database: Database) {}

  /** Newest first. @param behind the number of the last one of the page before */
  list(filter: OperationFilter, behind: number | null, limit: number): Promise<RecordedOperation[]> {
    return this.database.use((client) => listOperations(client, filter, behind, limit));
  }

  /** Before a change that no transaction holds, for it is one of memory. What is in the database puts itself on record. */
  record(operation: NewOperation): Promise<void> {
    return this.database.use((client) => recordOperation(client, operation));
  }
}
