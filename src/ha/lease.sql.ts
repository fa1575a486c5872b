import type { ClientBase, Pool } from 'pg';
import type { CaptureDrift } from '../status/capture-drift';
import type { EndpointState } from '../resilience/endpoint-state';

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

const HEARTBEAT = `
  insert into observers.listener (id, stream, host, pid, version, address, in_flight, endpoints, capture_drift)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  on conflict (id) do update set heartbeat_at = clock_timestamp(), address = excluded.address, in_flight = excluded.in_flight,
                                 endpoints = excluded.endpoints, capture_drift = excluded.capture_drift`;

export interface ListenerRecord {
  readonly id: string;
  readonly stream: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** Where its probes answer, `host:port`. */
  readonly address: string | null;
  readonly inFlight: number;
  readonly endpoints: readonly EndpointState[];
  /** Null while it does not lead, or has not looked. */
  readonly captureDrift: readonly CaptureDrift[] | null;
}

export async function heartbeat(pool: Pool, record: ListenerRecord): Promise<void> {
  const { id, stream, host, pid, version, address, inFlight, endpoints, captureDrift } = record;
  const drift = captureDrift === null ? null : JSON.stringify(captureDrift);
  await pool.query(HEARTBEAT, [id, stream, host, pid, version, address, inFlight, JSON.stringify(endpoints), drift]);
}

export async function removeListener(pool: Pool, id: string): Promise<void> {
  // Those that were killed are swept along, once they have been silent for an hour.
  await pool.query("delete from observers.listener where id = $1 or heartbeat_at < clock_timestamp() - interval '1 hour'", [id]);
}

const LEADER = `
  select holder, (l.expires_at >= clock_timestamp() and (l.backend_pid is null or exists (
           select from pg_stat_activity a where a.pid = l.backend_pid and coalesce(a.backend_start = l.backend_start, true)))) as leading
  from observers.lease l where stream = $1`;

/** Who leads a stream now, as a stand-by would judge; null when nobody does. */
export async function readLeader(client: ClientBase | Pool, stream: string): Promise<string | null> {
  const { rows } = await client.query<{ holder: string; leading: boolean }>(LEADER, [stream]);
  return rows[0]?.leading === true ? rows[0].holder : null;
}
