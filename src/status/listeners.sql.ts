import type { ClientBase } from 'pg';
import type { RedisState } from '../event/redis-state';
import type { EndpointState } from '../resilience/endpoint-state';
import { isAlive, isLeading } from './alive.sql';

/** The instances of a stream, and which of them leads. */
export interface Listeners {
  readonly leader: { readonly holder: string; readonly epoch: number; readonly since: string; readonly alive: boolean } | null;
  readonly listeners: readonly {
    readonly id: string;
    readonly version: string;
    readonly address: string | null;
    readonly alive: boolean;
    readonly inFlight: number;
    /** As of its last heartbeat. */
    readonly endpoints: readonly EndpointState[];
    /** What it uses Redis for beside the actions, and how that is. */
    readonly redis: readonly RedisState[];
  }[];
}

/** SQL: both columns, of the stream $1. */
export const LISTENERS = `
    (select json_build_object('holder', holder, 'epoch', epoch, 'since', acquired_at, 'alive', ${isLeading('e')})
     from observers.lease e where stream = $1 and expires_at > '-infinity') as leader,
    (select coalesce(json_agg(json_build_object('id', id, 'version', version, 'address', address, 'inFlight', in_flight, 'endpoints', endpoints, 'redis', redis,
       'alive', ${isAlive('l')}) order by started_at), '[]') from observers.listener l where stream = $1) as listeners`;

export async function readListeners(client: ClientBase, stream: string): Promise<Listeners> {
  const { rows } = await client.query<Listeners>(`select ${LISTENERS}`, [stream]);
  return rows[0] ?? { leader: null, listeners: [] };
}

/** The one that leads, as far as it has given a sign of life. */
export function leading({ leader, listeners }: Listeners): Listeners['listeners'][number] | undefined {
  return leader?.alive === true ? listeners.find(({ id }) => id === leader.holder) : undefined;
}

/** Who leads a stream, and where its API is reached. */
export interface LeaderPlace {
  readonly holder: string;
  readonly host: string | null;
  readonly url: string | null;
}

/** Null when nobody does. */
export async function readLeaderPlace(client: ClientBase, stream: string): Promise<LeaderPlace | null> {
  const holder = await readLeader(client, stream);
  if (holder === null) return null;
  const { rows } = await client.query<Omit<LeaderPlace, 'holder'>>('select host, url from observers.listener where id = $1', [holder]);
  return { holder, host: rows[0]?.host ?? null, url: rows[0]?.url ?? null };
}

const LEADER = `
  select holder, (l.expires_at >= clock_timestamp() and (l.backend_pid is null or exists (
           select from pg_stat_activity a where a.pid = l.backend_pid and coalesce(a.backend_start = l.backend_start, true)))) as leading
  from observers.lease l where stream = $1`;

/** Who leads a stream now, as a stand-by would judge; null when nobody does. */
export async function readLeader(client: ClientBase, stream: string): Promise<string | null> {
  const { rows } = await client.query<{ holder: string; leading: boolean }>(LEADER, [stream]);
  return rows[0]?.leading === true ? rows[0].holder : null;
}
