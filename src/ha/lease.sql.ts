import type { ClientBase, Pool } from 'pg';

// A stand-by takes over when the lease ran out, or when PostgreSQL itself says that the holder's session is gone: after kill -9 the
// socket closes at once, and nobody need wait for the lease to run out. Without a session on record (behind PgBouncer) only time counts.
const ACQUIRE = `
  insert into observers.lease as l (stream, holder, epoch, backend_pid, backend_start, expires_at)
  select $1, $2, 1, $3::int, (select backend_start from pg_stat_activity where pid = $3::int), clock_timestamp() + $4::float8 * interval '1 ms'
  on conflict (stream) do update
  set holder = excluded.holder, epoch = l.epoch + 1, backend_pid = excluded.backend_pid, backend_start = excluded.backend_start,
      acquired_at = clock_timestamp(), expires_at = excluded.expires_at
  where l.expires_at < clock_timestamp() or l.holder = excluded.holder
     or l.backend_pid is not null and not exists (
          select from pg_stat_activity a where a.pid = l.backend_pid and coalesce(a.backend_start = l.backend_start, true))
  returning epoch`;

/** @returns the new epoch, or null while another instance holds the lease. */
export async function acquireLease(
  pool: ClientBase | Pool,
  stream: string,
  holder: string,
  backendPid: number | null,
  ttl: number,
): Promise<number | null> {
  const { rows } = await pool.query<{ epoch: string }>(ACQUIRE, [stream, holder, backendPid, ttl]);
  return rows[0] ? Number(rows[0].epoch) : null;
}

const RENEW = `
  update observers.lease set expires_at = clock_timestamp() + $3::float8 * interval '1 ms', backend_pid = $4::int,
         backend_start = (select backend_start from pg_stat_activity where pid = $4::int)
  where stream = $1 and epoch = $2 returning 1`;

/** @returns false when the lease is no longer of this epoch. */
export async function renewLease(pool: Pool, stream: string, epoch: number, backendPid: number | null, ttl: number): Promise<boolean> {
  const { rowCount } = await pool.query(RENEW, [stream, epoch, ttl, backendPid]);
  return rowCount === 1;
}

/** Lets a stand-by begin at once. */
export async function releaseLease(pool: ClientBase | Pool, stream: string, epoch: number): Promise<void> {
  await pool.query("update observers.lease set expires_at = '-infinity' where stream = $1 and epoch = $2", [stream, epoch]);
}
