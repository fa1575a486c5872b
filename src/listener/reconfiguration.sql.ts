import type { Pool, PoolClient } from 'pg';
import { beginPeriod } from '../checkpoint/config-period.sql';
import type { Cursor } from '../checkpoint/cursor';
import type { Order } from '../delivery/order';
import { rearrangePending, type Inherited } from '../delivery/pending.sql';

/** The lease was renewed, or a person repaired a lane, in the same moment: the next try sees it. */
const SERIALIZATION_FAILURE = '40001';
const TRIES = 10;

export interface Reconfiguration {
  readonly stream: string;
  readonly epoch: number;
  readonly configVersion: number;
  readonly order: Order;
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
): Promise<Pick<Inherited, 'backlog' | 'blocked'>> {
  for (let tries = 1; ; tries++) {
    const client = await pool.connect();
    try {
      await client.query('begin isolation level repeatable read');
      const arranged = await record(client, change, cursor);
      await client.query('commit');
      client.release();
      return arranged;
    } catch (error) {
      client.release(true);
      if ((error as { code?: string }).code !== SERIALIZATION_FAILURE || tries === TRIES) throw error;
    }
  }
}

async function record(client: PoolClient, change: Reconfiguration, cursor: Cursor): Promise<Pick<Inherited, 'backlog' | 'blocked'>> {
  const { stream, epoch, order, paused } = change;
  const { rowCount } = await client.query('select from observers.lease where stream = $1 and epoch = $2 for share', [stream, epoch]);
  if (rowCount !== 1) throw new Error('another instance leads by now');
  await beginPeriod(client, change, cursor);
  return rearrangePending(client, stream, order, paused);
}
