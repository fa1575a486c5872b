import type { ClientBase, Pool } from 'pg';

/** Dead letters of one observer and one kind of error, or quarantined changes with one reason, that ask for somebody. */
export interface OpenItems {
  readonly kind: 'delivery' | 'quarantine';
  /** Empty for quarantined changes. */
  readonly observer: string;
  readonly error: string;
  readonly count: number;
}

const OPEN = `
  select 'delivery' as kind, observer, error, count(*)::int as count
  from observers.dead_letter where stream = $1 and resolved_at is null group by observer, error
  union all
  select 'quarantine', '', reason, count(*)::int from observers.quarantine where stream = $1 and resolved_at is null group by reason`;

export async function countOpen(client: ClientBase | Pool, stream: string): Promise<OpenItems[]> {
  const { rows } = await client.query<OpenItems>(OPEN, [stream]);
  return rows;
}
