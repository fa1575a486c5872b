import type { ClientBase, Pool } from 'pg';

const DAYS_AHEAD = 3;

/**
 * Makes the partitions of `observers.attempt` for today and the days to come. A day is UTC's.
 *
 * @throws 55P03 when somebody has the table for longer than a moment; then outcomes go to the default partition
 */
export async function createAttemptPartitions(client: ClientBase | Pool): Promise<void> {
  await client.query('select observers.make_attempt_partitions($1::int)', [DAYS_AHEAD]);
}

// Ours is made with `change_xid` as its third column (migration 0001). Into a table that was there before it was put at the end.
const ADOPTED = `
  select coalesce((select attnum <> 3 from pg_attribute where attrelid = 'core.tb_entity_change_log'::regclass and attname = 'change_xid'), true) as adopted`;

/** Whether another application made the change log: it may read it too. */
export async function isLogAdopted(client: ClientBase | Pool): Promise<boolean> {
  const { rows } = await client.query<{ adopted: boolean }>(ADOPTED);
  return rows[0]?.adopted ?? true;
}

// The change log and what refers to it are no foreign keys of each other: each would cost a look-up a delivery.
const LOCK = '1868718693, 4';

/** SQL: a batch of the change log is being cut. Whoever makes old changes needed once more waits for its end, and so do other batches. */
export const CUTTING = `select pg_advisory_xact_lock(${LOCK})`;

/** SQL: until the end of the transaction nothing is cut. Statements after this one see what is left. */
export const KEEPING = `select pg_advisory_xact_lock_shared(${LOCK})`;
