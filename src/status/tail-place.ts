import type { Snapshot } from '../checkpoint/cursor';
import { OperatorError } from '../event/errors';
import type { TailCursor } from './tail.sql';

/** How far somebody has followed, over any number of connections. */
export interface TailPlace {
  readonly cursor: TailCursor;
  /** The greatest transaction that was shown; null before the first. */
  readonly seen: string | null;
  /** When the server was started by which that was so. */
  readonly server: string;
}

/** The greater of two transactions. */
export function laterOf(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return BigInt(other) > BigInt(one) ? other : one;
}

/** The same place at the server as it is: after a restart what was not shown is new, and of a page that was cut off some may come twice. */
export function placeAt({ cursor, seen, server }: TailPlace, started: string): TailPlace {
  if (started === server) return { cursor, seen, server };
  const previous = seen === null ? cursor.previous : seenUpTo(cursor.previous, BigInt(seen));
  return { cursor: { previous, target: null, after: null }, seen, server: started };
}

/**
 * After a crash PostgreSQL gives out again the numbers of transactions whose records were not flushed, and a snapshot in memory would call
 * these seen. What was shown had been committed, so that none above the greatest of it was seen.
 */
export function seenUpTo(snapshot: Snapshot, seen: bigint): Snapshot {
  const [, xmax, xip] = snapshot.split(':');
  if (xmax === undefined || xip === undefined) throw new OperatorError(`"${snapshot}" is no snapshot`, '');
  const end = BigInt(xmax) > seen + 1n ? seen + 1n : BigInt(xmax);
  const open = xip.split(',').filter((xid) => xid !== '' && BigInt(xid) < end);
  return `${open[0] ?? end}:${end}:${open.join(',')}`;
}
