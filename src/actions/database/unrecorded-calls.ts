import type { Pool } from 'pg';
import { alongPath } from '../../database/pinned-client';
import { createPool } from '../../database/postgres';
import { pooledTransaction } from '../../database/transaction';
import { originOf, type Call, type OnceCalls } from './once';

/** Calls of database actions that are committed and leave no record: for a test that a person makes. */
export class UnrecordedCalls implements OnceCalls {
  private pool: Pool | null = null;
  closed = false;

  /** @param urlOf asked with the first call */
  constructor(private readonly urlOf: () => Promise<string>) {}

  /** @throws what the statement or the database failed with; nothing was done then */
  async run({ text, values, timeout, ...origin }: Pick<Call, 'text' | 'values' | 'cause' | 'trace' | 'timeout'>): Promise<'done'> {
    this.pool ??= createPool(await this.urlOf(), 1);
    const begin = `begin; set local statement_timeout = ${Math.ceil(timeout)}; ${originOf(origin)}`;
    await pooledTransaction(this.pool, begin, (client) => client.query(alongPath('callers', { text, values: [...values] })));
    return 'done';
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.pool?.end();
  }
}
