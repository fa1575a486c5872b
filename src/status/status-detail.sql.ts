import type { ClientBase, Pool } from 'pg';
import { PENDING_STATES, type PendingState } from '../event/pending-state';
import type { RedisState } from '../event/redis-state';
import type { EndpointState } from '../resilience/endpoint-state';
import { isAlive, isLeading, stateOf } from './alive.sql';

/** Deliveries that stand in PostgreSQL, by their state. */
export type PendingCounts = Readonly<Record<PendingState, number>>;

export interface ObserverStatus extends PendingCounts {
  readonly observer: string;
  readonly dead: number;
}

export interface EndpointStatus extends PendingCounts {
  readonly endpoint: string;
  readonly dead: number;
}

/** An instance, as of its last heartbeat. */
export interface ListenerStatus {
  readonly id: string;
  readonly stream: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly address: string | null;
  readonly startedAt: string;
  readonly heartbeatAgeSeconds: number;
  readonly alive: boolean;
  readonly leads: boolean;
  /** Epoch of the term that it leads. */
  readonly epoch: number | null;
  readonly inFlight: number;
  readonly endpoints: readonly EndpointState[];
  /** What it uses Redis for beside the actions, and how that is. */
  readonly redis: readonly RedisState[];
  /** What it does again and again beside the path of events. */
  readonly timers: readonly string[];
}

/** A transaction or a prepared one that is open: its own changes wait for its end, and dead rows cannot be removed. */
export interface OpenTransaction {
  /** Null for a prepared transaction, which has no session any more. */
  readonly pid: number | null;
  readonly user: string;
  readonly application: string;
  readonly state: string;
  readonly transactionSeconds: number;
  /** Seconds for which the statement has run, or since the last one ended. */
  readonly querySeconds: number | null;
}

/** Dead letters and quarantined changes that ask for somebody. */
export interface DeadByKind {
  readonly kind: 'delivery' | 'quarantine';
  readonly error: string;
  readonly count: number;
  readonly oldest: string;
}

export interface StatusDetail {
  readonly observers: readonly ObserverStatus[];
  readonly endpoints: readonly EndpointStatus[];
  readonly listeners: readonly ListenerStatus[];
  readonly dead: readonly DeadByKind[];
  /** Longest first. */
  readonly transactions: readonly OpenTransaction[];
}

/** SQL: one line for each value of a column, of what is pending and what is dead. */
const countsBy = (column: 'observer' | 'endpoint'): string => `
  select coalesce(json_agg(to_json(c) order by c.${column}), '[]') from (
    select ${column}, ${PENDING_STATES.map((state) => `count(*) filter (where state = '${state}')::int as ${state}`).join(', ')},
           count(*) filter (where state = 'dead')::int as dead
    from (select ${column}, ${stateOf('p')} as state from observers.pending_delivery p where stream = $1
          union all select ${column}, 'dead' from observers.dead_letter where stream = $1 and resolved_at is null) d
    group by ${column}) c`;

const LISTENERS = `
  select coalesce(json_agg(json_build_object('id', l.id, 'stream', l.stream, 'host', l.host, 'pid', l.pid, 'version', l.version,
    'address', l.address, 'startedAt', to_json(l.started_at) #>> '{}',
    'heartbeatAgeSeconds', extract(epoch from clock_timestamp() - l.heartbeat_at), 'alive', ${isAlive('l')},
    'leads', e.epoch is not null, 'epoch', e.epoch, 'inFlight', l.in_flight, 'endpoints', l.endpoints, 'redis', l.redis, 'timers', l.timers) order by l.started_at), '[]')
  from observers.listener l
  left join observers.lease e on e.stream = l.stream and e.holder = l.id and ${isLeading('e')}`;

const DEAD = `
  select coalesce(json_agg(to_json(d) order by d.count desc), '[]') from (
    select 'delivery' as kind, error, count(*)::int as count, to_json(min(died_at)) #>> '{}' as oldest
    from observers.dead_letter where stream = $1 and resolved_at is null group by error
    union all
    select 'quarantine', reason, count(*)::int, to_json(min(created_at)) #>> '{}'
    from observers.quarantine where stream = $1 and resolved_at is null group by reason) d`;

// Our own sessions hold no transaction open for long; a query's text is not shown, for it may hold anything.
const TRANSACTIONS = `
  select coalesce(json_agg(to_json(t) order by t."transactionSeconds" desc), '[]') from (
    select pid, usename as user, application_name as application, coalesce(state, 'unknown') as state,
           extract(epoch from clock_timestamp() - xact_start)::float8 as "transactionSeconds",
           extract(epoch from clock_timestamp() - case state when 'active' then query_start else state_change end)::float8 as "querySeconds"
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start < clock_timestamp() - interval '10 s'
    union all
    select null, owner, '', 'prepared: ' || gid, extract(epoch from clock_timestamp() - prepared)::float8, null
    from pg_prepared_xacts where database = current_database()
    order by "transactionSeconds" desc limit 10) t`;

const DETAIL = `
  select (${countsBy('observer')}) as observers, (${countsBy('endpoint')}) as endpoints, (${LISTENERS} where l.stream = $1) as listeners,
         (${DEAD}) as dead, (${TRANSACTIONS}) as transactions`;

export async function readStatusDetail(client: ClientBase, stream: string): Promise<StatusDetail> {
  const { rows } = await client.query<StatusDetail>(DETAIL, [stream]);
  if (rows[0] === undefined) throw new Error('the status query returned nothing');
  return rows[0];
}

/** Instances of all streams whose id begins so. */
export async function findListeners(client: ClientBase, id: string): Promise<ListenerStatus[]> {
  const { rows } = await client.query<{ listeners: ListenerStatus[] }>(`select (${LISTENERS} where starts_with(l.id, $1)) as listeners`, [
    id,
  ]);
  return rows[0]?.listeners ?? [];
}

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
