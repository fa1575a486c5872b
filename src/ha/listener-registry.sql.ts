import type { Pool } from 'pg';
import type { CaptureDrift } from '../status/capture-drift';
import type { EndpointState } from '../resilience/endpoint-state';

const HEARTBEAT = `
  insert into observers.listener (id, stream, host, pid, version, address, in_flight, endpoints, capture_drift, timers, url)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
  on conflict (id) do update set heartbeat_at = clock_timestamp(), address = excluded.address, in_flight = excluded.in_flight,
                                 endpoints = excluded.endpoints, capture_drift = excluded.capture_drift,
                                 timers = excluded.timers, url = excluded.url`;

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
  /** Names of what it does again and again. */
  readonly timers: readonly string[];
}

export async function heartbeat(pool: Pool, record: ListenerRecord): Promise<void> {
  const { id, stream, host, pid, version, address, url, inFlight, endpoints, captureDrift, timers } = record;
  const drift = captureDrift === null ? null : JSON.stringify(captureDrift);
  await pool.query(HEARTBEAT, [id, stream, host, pid, version, address, inFlight, JSON.stringify(endpoints), drift, timers, url]);
}

export async function removeListener(pool: Pool, id: string): Promise<void> {
  // Those that were killed are swept along, once they have been silent for an hour.
  await pool.query("delete from observers.listener where id = $1 or heartbeat_at < clock_timestamp() - interval '1 hour'", [id]);
}
