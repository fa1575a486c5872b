import { pooledTransaction } from '../database/transaction';
import type { Pool, PoolClient } from 'pg';
import { beginPeriod } from '../checkpoint/config-period.sql';
import type { Cursor } from '../checkpoint/cursor';
import type { Arrangement } from '../jobs/arrangement';
import type { Inherited } from '../jobs/job-queue';
import { rearrangePending, requireLeading } from '../jobs/takeover.sql';

export interface Reconfiguration {
  readonly stream: string;
  readonly epoch: number;
  readonly configVersion: number;
  readonly order: Arrangement;
  /** Observers that are paused. */
  readonly paused: readonly string[];
}

/**
 * Puts on record that from this place on another version decides, and arranges what waits as that version says: both, or neither.
 *
 * @throws what the database failed with, and when another instance leads by now
 */
export async function recordReconfiguration(
  pool: Pool,
  change: Reconfiguration,
  cursor: Cursor,
): Promise<Pick<Inherited, 'backlogged' | 'blocked'>> {
  return pooledTransaction(pool, 'begin', (client) => record(client, change, cursor));
}

async function record(client: PoolClient, change: Reconfiguration, cursor: Cursor): Promise<Pick<Inherited, 'backlogged' | 'blocked'>> {
  const { stream, epoch, order, paused } = change;
  const arranged = await rearrangePending(client, stream, order, paused);
  await beginPeriod(client, change, cursor);
  // Last: while it is locked the lease cannot be renewed, and rearranging 100,000 deliveries takes 3 s.
  await requireLeading(client, stream, epoch);
  return arranged;
}
