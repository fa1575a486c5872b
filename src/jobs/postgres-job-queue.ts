import type { Pool } from 'pg';
import type { Cursor } from '../checkpoint/cursor';
import type { DeliveryKey } from '../delivery/records';
import type { Arrangement } from './arrangement';
import { JobQueue, type Claimant, type ClaimedDelivery, type FreePlaces, type Inherited } from './job-queue';
import { adoptOrphans, claimDue, findDrained, sweepExpiredClaims } from './postgres-job-queue.sql';
import { findDue, releaseDue } from './scheduled.sql';
import { takeOverPending } from './takeover.sql';

/** The queue is the table that the ledger writes: nothing can be in one and not in the other. */
export class PostgresJobQueue extends JobQueue {
  /** By stream and endpoint: the party that had the last turn. */
  private readonly reached = new Map<string, Map<string, string>>();

  constructor(private readonly pool: Pool) {
    super();
  }

  takeOver(term: Claimant, checkpoint: Cursor, arrangement: Arrangement): Promise<Inherited> {
    return takeOverPending(this.pool, term, checkpoint, arrangement);
  }

  async claim(term: Claimant, places: readonly FreePlaces[], lease: number): Promise<ClaimedDelivery[]> {
    const client = await this.pool.connect();
    try {
      const reached = this.reached.get(term.stream) ?? new Map<string, string>();
      const claimed = await claimDue(client, term, places, lease, reached);
      this.reached.set(term.stream, turnsAfter(reached, places, claimed));
      client.release();
      return claimed;
    } catch (error) {
      // Its session may still claim: it must not do that behind the back of the next one.
      client.release(true);
      throw error;
    }
  }

  due(stream: string): Promise<string | null> {
    return findDue(this.pool, stream);
  }

  release(term: Claimant, until: string, paused: readonly string[]): Promise<string[]> {
    return releaseDue(this.pool, term, until, paused);
  }

  sweep(stream: string, held: readonly DeliveryKey[]): Promise<number> {
    return sweepExpiredClaims(this.pool, stream, held);
  }

  adopt(stream: string, known: readonly string[], endpoint: string): Promise<string[]> {
    return adoptOrphans(this.pool, stream, known, endpoint);
  }

  drained(stream: string, endpoints: readonly string[]): Promise<string[]> {
    return findDrained(this.pool, stream, endpoints);
  }
}

/** Where some party has not had its turn in this claim the next one goes on behind the last that had; otherwise it begins anew. */
function turnsAfter(
  before: ReadonlyMap<string, string>,
  places: readonly FreePlaces[],
  claimed: readonly ClaimedDelivery[],
): Map<string, string> {
  const reached = new Map(before);
  const had = new Map<string, Set<string>>(places.map(({ endpoint }) => [endpoint, new Set()]));
  for (const { endpoint, was, party } of claimed) if (was === 'queued') had.get(endpoint)?.add(party);
  for (const { endpoint, free } of places) {
    const parties = [...(had.get(endpoint) ?? [])];
    if (parties.length < free) reached.delete(endpoint);
    else reached.set(endpoint, parties.sort().at(-1) ?? '');
  }
  return reached;
}
