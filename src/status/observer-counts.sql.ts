import type { ClientBase, Pool } from 'pg';

/** What waits or lies dead of one observer. */
export interface ObserverCounts {
  readonly observer: string;
  /** Pending deliveries in any state, those that are put aside while it is paused included. */
  readonly pending: number;
  readonly dead: number;
}

const COUNTS = `
  select observer, sum(pending)::int as pending, sum(dead)::int as dead from (
    select observer, count(*) as pending, 0 as dead
    from observers.pending_delivery where stream = $1 group by observer
    union all
    select observer, 0, count(*) from observers.dead_letter where stream = $1 and resolved_at is null group by observer) c
  group by observer`;

export async function countByObserver(client: ClientBase | Pool, stream: string): Promise<ObserverCounts[]> {
  const { rows } = await client.query<ObserverCounts>(COUNTS, [stream]);
  return rows;
}
