import type { ClientBase, Pool } from 'pg';
import { currentVersionOf, passed } from './config-period.sql';
import { BEYOND_EVERYTHING, type Cursor, type Snapshot } from './cursor';

/**
 * What the stored checkpoint is worth on this server: `foreign` is of another PostgreSQL cluster, `ahead` lies beyond the transactions that
 * this server has given out. Both are refused by the service.
 */
export type CheckpointState = 'sound' | 'foreign' | 'ahead';

export interface StoredCheckpoint extends Cursor {
  readonly state: CheckpointState;
  readonly epoch: number;
  /** RFC 3339: when it moved last. */
  readonly movedAt: string;
  readonly systemIdentifier: string;
}

export interface Place {
  /** Null when the stream has never been read. */
  readonly checkpoint: StoredCheckpoint | null;
  /** System identifier of this server. */
  readonly systemIdentifier: string;
  /** What is visible now. */
  readonly now: Snapshot;
}

const PLACE = `
  select s.system as "systemIdentifier", pg_current_snapshot()::text as now,
    (select json_build_object('previous', c.previous::text, 'target', c.target::text, 'after', c.after, 'epoch', c.epoch,
       'movedAt', to_json(c.updated_at) #>> '{}', 'systemIdentifier', c.system_identifier,
       'state', case when c.system_identifier <> s.system then 'foreign'
                     when pg_snapshot_xmax(c.previous) > pg_snapshot_xmax(pg_current_snapshot()) then 'ahead' else 'sound' end)
     from observers.checkpoint c where c.stream = $1) as checkpoint
  from (select system_identifier::text as system from pg_control_system()) s`;

export async function readPlace(client: ClientBase | Pool, stream: string): Promise<Place> {
  const { rows } = await client.query<Place>(PLACE, [stream]);
  if (rows[0] === undefined) throw new Error('the place of the stream was not returned');
  return rows[0];
}

/** What a move of the checkpoint does to changes. */
export interface Moved {
  /** They would have been read, and will not be. */
  readonly skipped: number;
  /** They have been read, and will be once more. */
  readonly readAgain: number;
  /** Those of them that something is on record of; what is on record is not sent again. */
  readonly onRecord: number;
  /** Those of them that are older than attempts are kept: nothing that was sent of them is on record. */
  readonly forgotten: number;
}

const RECORDED = `(exists (select from observers.attempt a where a.change_number = l.pk_entity_change_log)
  or exists (select from observers.pending_delivery p where p.change_number = l.pk_entity_change_log)
  or exists (select from observers.dead_letter d where d.change_number = l.pk_entity_change_log)
  or exists (select from observers.quarantine q where q.change_number = l.pk_entity_change_log))`;

// Of a place of another cluster nothing can be told, so what is on record takes its part; and a change whose transaction this server has
// not given out counts as one that was finished long ago, which is what it becomes (adoptChanges).
const MOVED = `
  with places as (
    select $1::pg_snapshot as from_previous, $2::pg_snapshot as from_target, $3::bigint as from_after,
           $4::pg_snapshot as previous, $5::pg_snapshot as target, $6::bigint as after
  ), moved as (
    select l.*, ${passed('p', 'l')} as behind
    from (select pk_entity_change_log, created_at,
                 case when $7::boolean and change_xid >= pg_snapshot_xmax(pg_current_snapshot()) then '1'::xid8 else change_xid end as change_xid
          from core.tb_entity_change_log) l, places p
    where l.change_xid is not null and ($7::boolean or coalesce(${passed('p', 'l', 'from_')}, false) <> ${passed('p', 'l')})
  )
  select count(*) filter (where behind and not ($7 and ${RECORDED}))::float8 as skipped,
         count(*) filter (where not behind)::float8 as "readAgain",
         count(*) filter (where not behind and ${RECORDED})::float8 as "onRecord",
         count(*) filter (where not behind and l.created_at < now() - $8::float8 * interval '1 ms')::float8 as forgotten
  from moved l`;

/** @param retention milliseconds for which attempts are kept */
export async function countMoved(client: ClientBase, from: StoredCheckpoint | null, to: Cursor, retention: number): Promise<Moved> {
  const values = [from?.previous, from?.target, from?.after, to.previous, to.target, to.after, isForeign(from), retention];
  const { rows } = await client.query<Moved>(MOVED, values);
  if (rows[0] === undefined) throw new Error('the count was not returned');
  return rows[0];
}

export function isForeign(checkpoint: StoredCheckpoint | null): boolean {
  return checkpoint !== null && checkpoint.state !== 'sound';
}

// Changes that came with a dump carry transactions of the server that it was made on. One that this server has not given out yet looks
// new at every reading until it has. A batch's own transaction is below the next snapshot's xmax, so this comes to an end.
const ADOPT = `
  with strange as (
    select pk_entity_change_log as pk from core.tb_entity_change_log
    where change_xid >= pg_snapshot_xmax(pg_current_snapshot()) order by change_xid limit $1
  )
  update core.tb_entity_change_log l set change_xid = pg_current_xact_id() from strange where l.pk_entity_change_log = strange.pk`;

/** Gives at most `batch` changes with a transaction of another cluster one of this. @returns how many */
export async function adoptChanges(client: ClientBase, batch: number): Promise<number> {
  const { rowCount } = await client.query(ADOPT, [batch]);
  return rowCount ?? 0;
}

/** What another cluster's snapshots say about versions is worth nothing here. */
export async function closeForeignPeriods(client: ClientBase, stream: string): Promise<void> {
  await client.query('update observers.config_period set previous = $2, target = null, after = 0 where stream = $1', [
    stream,
    BEYOND_EVERYTHING,
  ]);
}

export interface Reset {
  readonly stream: string;
  readonly epoch: number;
  readonly asked: string;
  readonly by: string;
  readonly reason: string | null;
  readonly from: StoredCheckpoint | null;
  readonly to: Cursor;
  readonly moved: Moved;
}

// The version that led last decides what is read from here on, until another one begins: a change that is read once more is decided once
// more. The fence is the lease, as in every write of a leader.
const WRITE = `
  with fence as materialized (
    select stream from observers.lease where stream = $1 and epoch = $2 for update
  ), noted as (
    insert into observers.checkpoint_reset (stream, reset_by, reason, asked, from_previous, from_target, from_after, foreign_cluster,
                                            previous, target, after, skipped, read_again)
    select stream, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 from fence
  ), period as (
    insert into observers.config_period (stream, epoch, config_version, previous, target, after)
    select stream, $2, v.version, $10, $11, $12 from fence, (select ${currentVersionOf('$1')} as version) v where v.version is not null
  )
  insert into observers.checkpoint (stream, epoch, system_identifier, previous, target, after)
  select stream, $2, (select system_identifier::text from pg_control_system()), $10, $11, $12 from fence
  on conflict (stream) do update set epoch = excluded.epoch, system_identifier = excluded.system_identifier, previous = excluded.previous,
    target = excluded.target, after = excluded.after, updated_at = clock_timestamp()`;

/** Moves the checkpoint and puts it on record. @returns false when the lease is no longer ours: nothing was written */
export async function writeReset(client: ClientBase, reset: Reset): Promise<boolean> {
  const { stream, epoch, by, reason, asked, from, to, moved } = reset;
  const before = [from?.previous ?? null, from?.target ?? null, from?.after ?? null, isForeign(from)];
  const values = [stream, epoch, by, reason, asked, ...before, to.previous, to.target, to.after, moved.skipped, moved.readAgain];
  const { rowCount } = await client.query(WRITE, values);
  return rowCount === 1;
}

/** A reset that is on record. */
export interface RecordedReset {
  readonly at: string;
  readonly by: string;
  readonly reason: string | null;
  readonly asked: string;
  readonly foreign: boolean;
  readonly skipped: number;
  readonly readAgain: number;
}

const RESETS = `
  select to_json(reset_at) #>> '{}' as at, reset_by as by, reason, asked, foreign_cluster as foreign, skipped::float8 as skipped,
         read_again::float8 as "readAgain"
  from observers.checkpoint_reset where stream = $1 order by number desc limit $2`;

/** Newest first. */
export async function readResets(client: ClientBase | Pool, stream: string, limit: number): Promise<RecordedReset[]> {
  const { rows } = await client.query<RecordedReset>(RESETS, [stream, limit]);
  return rows;
}

/**
 * SQL: the number of the reset by which a person moved the stream past the change `l`, unless a later one went back before it; null when
 * none did.
 */
export const passedOverBy = (stream: string, l: string): string =>
  `(select r.number from observers.checkpoint_reset r
    where r.stream = ${stream} and ${passed('r', l)} and (r.foreign_cluster or not coalesce(${passed('r', l, 'from_')}, false))
      and not exists (select from observers.checkpoint_reset later
                      where later.stream = r.stream and later.number > r.number and not ${passed('later', l)})
    order by r.number desc limit 1)`;
