import type { ClientBase, Pool } from 'pg';
import type { CaptureDrift } from './capture-drift';
import { isLeading, stateOf } from './alive.sql';
import { LISTENERS, type Listeners } from './listeners.sql';

/** A lag above this is shown as "more than": counting a backlog of millions would take longer than anybody waits. */
export const LAG_COUNTED = 100_000;

/** The audit's word is too old when it is older than this, and than ten intervals: in milliseconds. */
const AUDIT_STALE = 15 * 60_000;

/** What may be said of the audit's findings; null: that nothing is missing is too long ago to be said. What is missing stays missing. */
export function unaccountedOf({ unaccounted, ageSeconds }: NonNullable<StreamStatus['audit']>, interval: number): number | null {
  if (unaccounted > 0) return unaccounted;
  return ageSeconds === null || ageSeconds * 1_000 > Math.max(AUDIT_STALE, 10 * interval) ? null : 0;
}

export interface StreamStatus extends Listeners {
  readonly stream: string;
  readonly lag: { readonly events: number; readonly seconds: number };
  readonly checkpointAgeSeconds: number | null;
  /** Deliveries that wait for their time. */
  readonly scheduled: number;
  /** When the first of them goes; RFC 3339. Null where there are none. */
  readonly nextScheduledAt: string | null;
  readonly queued: number;
  readonly running: number;
  readonly retrying: number;
  /** Deliveries of strict observers: heads that have failed for good, and what waits behind heads of any state. */
  readonly parked: number;
  readonly waiting: number;
  /** Put aside while their observers are paused. */
  readonly paused: number;
  readonly pausedObservers: readonly { readonly observer: string; readonly since: string; readonly by: string }[];
  readonly dead: number;
  readonly quarantined: number;
  /** Endpoints that have answered 410, with the time. */
  readonly gone: readonly { readonly endpoint: string; readonly since: string }[];
  /** Tables that are not captured as the leader's configuration asks; null when nobody leads, and it cannot be known. */
  readonly captureDrift: readonly CaptureDrift[] | null;
  /** What the audit in the background says; null when none has ever run. */
  readonly audit: {
    /** Deliveries that must be on record and are not. */
    readonly unaccounted: number;
    /** Since everything that the stream had passed was accounted for; null when that was never so. */
    readonly ageSeconds: number | null;
  } | null;
  /** Backfills that are not finished; whoever works on one gives a sign of life each second. */
  readonly backfills: readonly {
    readonly id: string;
    readonly table: string;
    readonly observers: readonly string[];
    readonly done: number;
    readonly expected: number | null;
    readonly running: boolean;
  }[];
  /** The search index in Elasticsearch; null when the leader keeps none. */
  readonly search: {
    readonly index: string;
    /** Since everything that was committed was told. */
    readonly lagSeconds: number;
    /** Documents that were refused for good. */
    readonly parked: number;
    /** Another generation is built beside the one that is searched. */
    readonly building: boolean;
    /** Why it does not go on, and what to do; null when it does. */
    readonly problem: string | null;
  } | null;
  /** The transaction that has been open longest, when it is older than ten seconds. */
  readonly oldestTransaction: { readonly pid: number; readonly user: string; readonly seconds: number } | null;
}

// New to the stream is what was not visible in the checkpoint's snapshot, less what its half-read window has passed.
const STATUS = `
  with c as (select * from observers.checkpoint where stream = $1),
  behind as materialized (
    select l.created_at from core.tb_entity_change_log l, c
    where l.change_xid >= pg_snapshot_xmin(c.previous) and not pg_visible_in_snapshot(l.change_xid, c.previous)
      and not (c.target is not null and pg_visible_in_snapshot(l.change_xid, c.target) and l.pk_entity_change_log <= c.after)
    limit ${LAG_COUNTED}
  ),
  pending as (select ${stateOf('p')} as state, count(*)::int as count from observers.pending_delivery p where stream = $1 group by 1)
  select $1 as stream,
    ${LISTENERS},
    json_build_object('events', (select count(*) from behind),
                      'seconds', coalesce((select extract(epoch from clock_timestamp() - min(created_at)) from behind), 0)) as lag,
    (select extract(epoch from clock_timestamp() - updated_at)::float8 from c) as "checkpointAgeSeconds",
    coalesce((select count from pending where state = 'scheduled'), 0) as scheduled,
    (select to_json(min(next_attempt_at)) #>> '{}' from observers.pending_delivery where stream = $1 and state = 'scheduled') as "nextScheduledAt",
    coalesce((select count from pending where state = 'queued'), 0) as queued,
    coalesce((select count from pending where state = 'running'), 0) as running,
    coalesce((select count from pending where state = 'retrying'), 0) as retrying,
    coalesce((select count from pending where state = 'parked'), 0) as parked,
    coalesce((select count from pending where state = 'waiting'), 0) as waiting,
    coalesce((select count from pending where state = 'paused'), 0) as paused,
    (select coalesce(json_agg(json_build_object('observer', observer, 'since', since, 'by', paused_by) order by observer), '[]')
     from observers.paused_observer where stream = $1) as "pausedObservers",
    (select count(*)::int from observers.dead_letter where stream = $1 and resolved_at is null) as dead,
    (select count(*)::int from observers.quarantine where stream = $1 and resolved_at is null) as quarantined,
    (select coalesce(json_agg(json_build_object('endpoint', endpoint, 'since', since) order by endpoint), '[]')
     from observers.gone_endpoint where stream = $1) as gone,
    (select l.capture_drift from observers.listener l join observers.lease e on e.stream = l.stream and e.holder = l.id
     where l.stream = $1 and ${isLeading('e')}) as "captureDrift",
    (select json_build_object(
       'unaccounted', (select count(*) from observers.unaccounted u where u.stream = a.stream and u.dismissed_at is null),
       'ageSeconds', extract(epoch from clock_timestamp() - a.complete_at)) from observers.audit a where a.stream = $1) as audit,
    (select coalesce(json_agg(json_build_object('id', id, 'table', relation, 'observers', observers, 'done', done, 'expected', expected,
       'running', run is not null and seen_at > clock_timestamp() - interval '5 s') order by started_at), '[]')
     from observers.backfill where state = 'unfinished') as backfills,
    (select json_build_object(
       'index', f.index_name, 'lagSeconds', extract(epoch from clock_timestamp() - coalesce(f.complete_at, f.created_at)), 'problem', f.problem,
       'parked', (select count(*) from observers.search_parked p where p.stream = f.stream and p.index_name = f.index_name),
       'building', exists (select from observers.search_feed b where b.stream = f.stream and b.index_name = f.index_name and b.state = 'building'))
     from observers.search_feed f where f.stream = $1 and f.active and f.state = 'live') as search,
    (select json_build_object('pid', pid, 'user', usename, 'seconds', extract(epoch from clock_timestamp() - xact_start))
     from pg_stat_activity where xact_start < clock_timestamp() - interval '10 s' and datname = current_database() and pid <> pg_backend_pid()
     order by xact_start limit 1) as "oldestTransaction"`;

export async function readStatus(client: ClientBase | Pool, stream: string): Promise<StreamStatus> {
  const { rows } = await client.query<StreamStatus>(STATUS, [stream]);
  if (!rows[0]) throw new Error('the status query returned nothing');
  return rows[0];
}
