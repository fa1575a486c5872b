import type { ClientBase, Pool, PoolClient } from 'pg';

/** Every statement sees the same moment, and none can write. */
export const SNAPSHOT = 'begin isolation level repeatable read read only';

/**
 * One transaction: committed when the work is done, rolled back when it throws.
 *
 * @param begin the statement that begins it
 * @param stays tells by the result whether what was done is committed; without it, it is
 */
export async function transaction<T>(
  client: ClientBase,
  begin: string,
  work: () => Promise<T>,
  stays: (result: T) => boolean = () => true,
): Promise<T> {
  await client.query(begin);
  try {
    const result = await work();
    await client.query(stays(result) ? 'commit' : 'rollback');
    return result;
  } catch (error) {
    // What failed is what counts, also when the connection is gone.
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** One transaction that leaves nothing behind: to look, or to try something out. @param begin the statement that begins it */
export async function rolledBack<T>(client: ClientBase, begin: string, work: () => Promise<T>): Promise<T> {
  await client.query(begin);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
  // Whoever keeps the connection has to know when it is not at rest.
  await client.query('rollback');
  return result;
}

/** One transaction on a connection of the pool. When it fails the connection is closed: its state is not known, and its locks end with it. */
export async function pooledTransaction<T>(pool: Pool, begin: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query('commit');
    client.release();
    return result;
  } catch (error) {
    client.release(true);
    throw error;
  }
}
