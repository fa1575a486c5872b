import type { Pool } from 'pg';

// Who gets the row may send: however many processes there are, and however often they start.
const CLAIM = `
  insert into observers.alert as a (observer, told_to, sent_at) values ($1, '-infinity', clock_timestamp())
  on conflict (observer) do update set sent_at = excluded.sent_at
  where a.sent_at <= clock_timestamp() - $2::float8 * interval '1 ms'
  returning sent_at::text as at`;

/** @returns when it was claimed; null when the last alert about this observer is no longer ago than `pause` milliseconds */
export async function claimAlert(pool: Pool, observer: string, pause: number): Promise<string | null> {
  const { rows } = await pool.query<{ at: string }>(CLAIM, [observer, pause]);
  return rows[0]?.at ?? null;
}

/** It was sent, and tells of everything up to its claim. */
export async function alertSent(pool: Pool, observer: string, claimedAt: string): Promise<void> {
  await pool.query('update observers.alert set told_to = $2 where observer = $1', [observer, claimedAt]);
}

/** It could not be sent: the next try may be made in `wait` milliseconds. */
export async function unclaimAlert(pool: Pool, observer: string, pause: number, wait: number): Promise<void> {
  await pool.query(
    "update observers.alert set sent_at = clock_timestamp() - ($2::float8 - $3::float8) * interval '1 ms' where observer = $1",
    [observer, pause, wait],
  );
}

/** Failures that nobody was told of, because the process that saw them has ended. */
export interface Untold {
  readonly observer: string;
  readonly failures: number;
  readonly since: string;
}

const UNTOLD = `
  select d.observer, count(*)::int as failures, to_json(min(d.died_at)) #>> '{}' as since
  from observers.dead_letter d left join observers.alert a on a.observer = d.observer
  where d.stream = $1 and d.observer = any ($2::text[]) and d.resolved_at is null and d.died_at > coalesce(a.told_to, '-infinity')
  group by d.observer`;

export async function findUntold(pool: Pool, stream: string, observers: readonly string[]): Promise<Untold[]> {
  const { rows } = await pool.query<Untold>(UNTOLD, [stream, observers]);
  return rows;
}
