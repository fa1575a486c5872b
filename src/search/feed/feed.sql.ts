import type { ClientBase, Pool } from 'pg';
import type { Snapshot } from '../../checkpoint/cursor';

/** A term of leadership, and what it feeds: every write carries its epoch, and does nothing when a newer leader has taken over. */
export interface FeedFence {
  readonly stream: string;
  readonly epoch: number;
  readonly index: string;
}

/** How far one generation of the index is. */
export interface Feed {
  readonly generation: number;
  readonly state: 'live' | 'building';
  /** RFC 3339. */
  readonly since: string | null;
  readonly previous: Snapshot;
  readonly target: Snapshot | null;
  /** 0: what was under way in `previous` comes first. */
  readonly fromXid: number;
  readonly toXid: number | null;
  readonly after: number;
  /** Where transactions of this window begin and end: xmax of its two snapshots. */
  readonly windowBegin: number;
  readonly windowEnd: number;
  /** Whether what this window holds reaches as far as the live generation is complete. */
  readonly caughtUp: boolean;
  /** It is of another cluster, or of a future that a restore has undone. */
  readonly foreign: boolean;
}

const FENCE = 'select stream from observers.lease where stream = $1 and epoch = $2 for share';
const SYSTEM = '(select system_identifier::text from pg_control_system())';
const numberOf = (snapshot: string): string => `(pg_snapshot_xmax(${snapshot})::text)::float8`;

const BEGIN = `
  with fence as materialized (${FENCE}), others as (
    update observers.search_feed f set active = false from fence where f.stream = fence.stream and f.index_name <> $3 and f.active
  ), mine as (
    update observers.search_feed f set active = true from fence where f.stream = fence.stream and f.index_name = $3 returning f.generation
  )
  insert into observers.search_feed (stream, index_name, generation, state, epoch, system_identifier, previous)
  select fence.stream, $3, 1, 'live', $2, ${SYSTEM}, '1:1:' from fence where not exists (select from mine)
  on conflict do nothing`;

/** A new stream, or a new name of the index, begins at the beginning of the log. */
export async function beginFeeds(client: Pool | ClientBase, { stream, epoch, index }: FeedFence): Promise<void> {
  await client.query(BEGIN, [stream, epoch, index]);
}

/** Nobody feeds an index of this stream any more. */
export async function endFeeds(client: Pool | ClientBase, stream: string): Promise<void> {
  await client.query('update observers.search_feed set active = false where stream = $1 and active', [stream]);
}

// What came of a change was written after it. Nothing is asked for a feed that has begun.
const FIRST = `coalesce((select (change_xid::text)::float8 from core.tb_entity_change_log where change_xid >= '0'::xid8 order by change_xid limit 1), ${numberOf('f.target')}, 1)`;

const FEEDS = `
  select f.generation, f.state, to_json(f.since) #>> '{}' as since, f.previous::text, f.target::text, f.from_xid::float8 as "fromXid",
         f.to_xid::float8 as "toXid", f.after::float8 as after, case when pg_snapshot_xmax(f.previous) = '1' then ${FIRST} else ${numberOf('f.previous')} end as "windowBegin",
         coalesce(${numberOf('f.target')}, 0) as "windowEnd",
         f.system_identifier <> ${SYSTEM}
           or greatest(pg_snapshot_xmax(f.previous), pg_snapshot_xmax(f.target)) > pg_snapshot_xmax(pg_current_snapshot()) as "foreign",
         coalesce(f.target_at >= (select coalesce(l.complete_at, '-infinity') from observers.search_feed l
                                  where l.stream = f.stream and l.index_name = f.index_name and l.state = 'live'), false) as "caughtUp"
  from observers.search_feed f where f.stream = $1 and f.index_name = $2 order by f.state desc`;

/** The live generation, and the one that is built beside it. */
export async function readFeeds(client: Pool | ClientBase, { stream, index }: FeedFence): Promise<Feed[]> {
  const { rows } = await client.query<Feed>(FEEDS, [stream, index]);
  return rows;
}

// The target is stored by the statement whose snapshot it is: one that was kept in memory while PostgreSQL crashed would mean nothing
// (ADR 6). What the window before has told is complete by then.
const OPEN_WINDOW = `
  with fence as materialized (${FENCE})
  update observers.search_feed f
  set epoch = $2, previous = coalesce(f.target, f.previous), target = pg_current_snapshot(), from_xid = 0, to_xid = null, after = 0,
      complete_at = case when f.target is null then f.complete_at else f.target_at end, target_at = statement_timestamp(), problem = null, problem_at = null
  from fence where f.stream = fence.stream and f.index_name = $3 and f.generation = $4`;

/** All of the window is told: the next one begins. @returns false when a newer leader has taken over */
export async function openWindow(client: Pool | ClientBase, { stream, epoch, index }: FeedFence, generation: number): Promise<boolean> {
  const { rowCount } = await client.query({ name: 'search-open', text: OPEN_WINDOW, values: [stream, epoch, index, generation] });
  return rowCount === 1;
}

/** What Elasticsearch will not take, whenever it is asked. */
export interface Rejected {
  readonly change: number;
  readonly status: number;
  readonly reason: string;
}

export interface FeedStep {
  readonly generation: number;
  readonly place: Pick<Feed, 'fromXid' | 'toXid' | 'after'>;
  readonly rejected: readonly Rejected[];
  /** Those that are there now, or need not be. */
  readonly settled: readonly number[];
}

const SAVE = `
  with fence as materialized (${FENCE}), feed as (
    update observers.search_feed f set epoch = $2, from_xid = $5, to_xid = $6, after = $7, problem = null, problem_at = null
    from fence where f.stream = fence.stream and f.index_name = $3 and f.generation = $4
  ), settled as (
    delete from observers.search_parked p using fence
    where p.stream = fence.stream and p.index_name = $3 and p.generation = $4 and p.change_number = any ($8::bigint[])
  ), parked as (
    insert into observers.search_parked as p (stream, index_name, generation, change_number, status, reason)
    select fence.stream, $3, $4::int, r.* from fence, unnest($9::bigint[], $10::int[], $11::text[]) as r(change_number, status, reason)
    on conflict (stream, index_name, generation, change_number)
      do update set status = excluded.status, reason = excluded.reason, tries = p.tries + 1, parked_at = clock_timestamp(), retry = false
  )
  select count(*)::int as fenced from fence`;

/** All of a step, or nothing. @returns false when a newer leader has taken over */
export async function saveFeedStep(client: Pool | ClientBase, { stream, epoch, index }: FeedFence, step: FeedStep): Promise<boolean> {
  const { generation, place, rejected, settled } = step;
  const values = [
    stream, epoch, index, generation, place.fromXid, place.toXid, place.after, settled,
    rejected.map(({ change }) => change), rejected.map(({ status }) => status), rejected.map(({ reason }) => reason),
  ]; // prettier-ignore
  const { rows } = await client.query<{ fenced: number }>({ name: 'search-save', text: SAVE, values });
  return rows[0]?.fenced === 1;
}

const PROBLEM = `
  with fence as materialized (${FENCE})
  update observers.search_feed f set problem = $4, problem_at = coalesce(f.problem_at, clock_timestamp())
  from fence where f.stream = fence.stream and f.index_name = $3`;

export async function noteProblem(client: Pool | ClientBase, { stream, epoch, index }: FeedFence, problem: string): Promise<void> {
  await client.query(PROBLEM, [stream, epoch, index, problem]);
}

const ASKED = `
  select change_number::float8 as change from observers.search_parked
  where stream = $1 and index_name = $2 and generation = $3 and retry order by change_number limit $4`;

/** Parked changes that a person wants tried again. */
export async function askedAgain(client: ClientBase, { stream, index }: FeedFence, generation: number, limit: number): Promise<number[]> {
  const { rows } = await client.query<{ change: number }>(ASKED, [stream, index, generation, limit]);
  return rows.map(({ change }) => change);
}

const TAKE_OVER = `
  with fence as materialized (${FENCE}), old as (
    delete from observers.search_feed f using fence where f.stream = fence.stream and f.index_name = $3 and f.generation < $4
  ), parked as (
    delete from observers.search_parked p using fence where p.stream = fence.stream and p.index_name = $3 and p.generation < $4
  )
  update observers.search_feed f set state = 'live', epoch = $2 from fence where f.stream = fence.stream and f.index_name = $3 and f.generation = $4`;

/** What was built is live now. @returns false when a newer leader has taken over */
export async function makeLive(client: Pool | ClientBase, { stream, epoch, index }: FeedFence, generation: number): Promise<boolean> {
  const { rowCount } = await client.query(TAKE_OVER, [stream, epoch, index, generation]);
  return rowCount === 1;
}

/** Which database this is, for whoever looks at an index: of two that were restored from one backup the name tells. */
export async function readDatabaseMark(client: Pool | ClientBase): Promise<string> {
  const { rows } = await client.query<{ mark: string }>(`select ${SYSTEM} || '/' || current_database() as mark`);
  return rows[0]?.mark ?? '';
}
