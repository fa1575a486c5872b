import type { Pool } from 'pg';
import type { RedisState } from '../event/redis-state';
import type { CaptureDrift } from '../status/capture-drift';
import type { EndpointState } from '../resilience/endpoint-state';

const HEARTBEAT = `
  insert into observers.listener (id, stream, host, pid, version, address, in_flight, endpoints, capture_drift, timers, alive_until, backend_pid, backend_start, url, redis)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp() + $11::float8 * interval '1 ms', $12::int,
          (select backend_start from pg_stat_activity where pid = $12::int), $13, $14)
  on conflict (id) do update set heartbeat_at = clock_timestamp(), address = excluded.address, in_flight = excluded.in_flight,
                                 endpoints = excluded.endpoints, capture_drift = excluded.capture_drift,
                                 timers = excluded.timers, alive_until = excluded.alive_until, backend_pid = excluded.backend_pid,
                                 backend_start = excluded.backend_start, url = excluded.url, redis = excluded.redis`;

export interface ListenerRecord {
  readonly id: string;
  readonly stream: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** Where its probes answer, `host:port`. */
  readonly address: string | null;
  /** Where other instances reach its API. */
  readonly url: string | null;
  readonly inFlight: number;
  readonly endpoints: readonly EndpointState[];
  /** Null while it does not lead, or has not looked. */
  readonly captureDrift: readonly CaptureDrift[] | null;
  /** How Redis is for what it uses it for beside the actions. */
  readonly redis: readonly RedisState[];
  /** Names of what it does again and again. */
  readonly timers: readonly string[];
  /** Milliseconds after which it has missed a sign of life. */
  readonly aliveFor: number;
  /** Its own PostgreSQL session; null when it has none that lasts. */
  readonly session: number | null;
}

export async function heartbeat(pool: Pool, record: ListenerRecord): Promise<void> {
  const { id, stream, host, pid, version, address, url, inFlight, endpoints, captureDrift, timers, aliveFor, session, redis } = record;
  const drift = captureDrift === null ? null : JSON.stringify(captureDrift);
  const values = [
    id,
    stream,
    host,
    pid,
    version,
    address,
    inFlight,
    JSON.stringify(endpoints),
    drift,
    timers,
    aliveFor,
    session,
    url,
    JSON.stringify(redis),
  ];
  await pool.query(HEARTBEAT, values);
}

export async function removeListener(pool: Pool, id: string): Promise<void> {
  // Those that were killed are swept along, once they have been silent for an hour.
  await pool.query("delete from observers.listener where id = $1 or heartbeat_at < clock_timestamp() - interval '1 hour'", [id]);
}
