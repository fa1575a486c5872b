import type { ClientBase, Pool } from 'pg';
import type { Cursor, Snapshot } from '../checkpoint/cursor';

/** A term of leadership: every write carries its epoch, and does nothing when a newer leader has taken over. */
export interface AuditFence {
  readonly stream: string;
  readonly epoch: number;
}

/** How far the audit has come: as a cursor of the reader, whose targets are checkpoints. */
export interface AuditProgress extends Cursor {
  /** When the checkpoint that the target is was read, as PostgreSQL writes it; null when there is no target. */
  readonly targetAt: string | null;
  /** Number of the change up to which this round of the patrol has come. */
  readonly patrolled: number;
}

const FENCE = 'select stream from observers.lease where stream = $1 and epoch = $2 for share';

// The first audit of a stream begins where versions are recorded from: before that nothing can be proved. A place of another cluster, or of
// a future that a restore has undone, means nothing here: then it begins anew at the checkpoint.
const BEGIN = `
  with fence as materialized (${FENCE})
  insert into observers.audit as a (stream, epoch, system_identifier, previous)
  select c.stream, $2, c.system_identifier,
         coalesce((select p.previous from observers.config_period p where p.stream = c.stream order by p.epoch, p.number limit 1), c.previous)
  from fence join observers.checkpoint c using (stream)
  on conflict (stream) do update set (epoch, system_identifier, previous, target, after, target_at) = (
    select excluded.epoch, excluded.system_identifier, case when foreign_ then (select c.previous from observers.checkpoint c where c.stream = a.stream) else a.previous end,
           case when not foreign_ then a.target end, case when foreign_ then 0 else a.after end, case when not foreign_ then a.target_at end
    from (select a.system_identifier <> excluded.system_identifier
                 or greatest(pg_snapshot_xmax(a.previous), pg_snapshot_xmax(a.target)) > pg_snapshot_xmax(pg_current_snapshot()) as foreign_) f)
  returning previous::text, target::text, after::float8 as after, target_at::text as "targetAt", patrolled::float8 as patrolled`;

/** Takes up where the last leader's audit ended. @returns null when a newer leader has taken over */
export async function beginAudit(client: ClientBase | Pool, { stream, epoch }: AuditFence): Promise<AuditProgress | null> {
  const { rows } = await client.query<AuditProgress>(BEGIN, [stream, epoch]);
  return rows[0] ?? null;
}

/** Behind which everything is finished, and the moment at which that was so; null when the stream has never been read. */
export async function readFinished(client: ClientBase | Pool, stream: string): Promise<{ snapshot: Snapshot; at: string } | null> {
  const { rows } = await client.query<{ snapshot: Snapshot; at: string }>({
    name: 'audit-finished',
    text: 'select previous::text as snapshot, clock_timestamp()::text as at from observers.checkpoint where stream = $1',
    values: [stream],
  });
  return rows[0] ?? null;
}

/** A delivery that nothing accounts for. */
export interface UnaccountedKey {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
}

/** What one step of the audit has found out. */
export interface AuditStep {
  readonly progress: AuditProgress;
  /** What the stream had passed at this moment is accounted for now; null: as before. */
  readonly completeAt: string | null;
  readonly found: readonly (UnaccountedKey & { readonly version: number })[];
  readonly repaired: readonly UnaccountedKey[];
  /** Late decisions that are accounted for. */
  readonly lateDecisions: readonly number[];
}

const SAVE = `
  with fence as materialized (${FENCE}), progress as (
    update observers.audit a set previous = $3, target = $4, after = $5, target_at = $6, complete_at = coalesce($7, complete_at), patrolled = $16
    from fence where a.stream = fence.stream
  ), found as (
    insert into observers.unaccounted (stream, change_number, observer, action, config_version)
    select fence.stream, u.* from fence, unnest($8::bigint[], $9::text[], $10::text[], $11::int[]) as u(change_number, observer, action, version)
    on conflict do nothing
  ), repaired as (
    delete from observers.unaccounted u using fence, unnest($12::bigint[], $13::text[], $14::text[]) as r(change_number, observer, action)
    where u.stream = fence.stream and u.change_number = r.change_number and u.observer = r.observer and u.action = r.action
      and u.dismissed_at is null
  ), decided as (
    update observers.late_decision d set audited = true from fence where d.stream = fence.stream and d.change_number = any ($15::bigint[])
  )
  select count(*)::int as fenced from fence`;

/** All of a step, or nothing. @returns false when a newer leader has taken over */
export async function saveStep(client: ClientBase | Pool, { stream, epoch }: AuditFence, step: AuditStep): Promise<boolean> {
  const { progress, completeAt, found, repaired, lateDecisions } = step;
  const values = [
    stream, epoch, progress.previous, progress.target, progress.after, progress.targetAt, completeAt,
    ...keys(found), found.map(({ version }) => version), ...keys(repaired), lateDecisions, progress.patrolled,
  ]; // prettier-ignore
  const { rows } = await client.query<{ fenced: number }>({ name: 'audit-save', text: SAVE, values });
  return rows[0]?.fenced === 1;
}

function keys(deliveries: readonly UnaccountedKey[]): unknown[] {
  return [deliveries.map((one) => one.changeNumber), deliveries.map((one) => one.observer), deliveries.map((one) => one.action)];
}

const OPEN = `
  select change_number::float8 as "changeNumber", observer, action,
         exists (select from observers.quarantine q where q.stream = u.stream and q.change_number = u.change_number) as quarantined
  from observers.unaccounted u
  where stream = $1 and dismissed_at is null and (change_number, observer, action) > ($2, $3, $4)
  order by change_number, observer, action limit $5`;

export interface OpenDelivery extends UnaccountedKey {
  readonly quarantined: boolean;
}

/** The next ones behind `behind`; null: the first. */
export async function readOpen(client: ClientBase, stream: string, behind: UnaccountedKey | null, limit: number): Promise<OpenDelivery[]> {
  const { changeNumber = 0, observer = '', action = '' } = behind ?? {};
  const { rows } = await client.query<OpenDelivery>({
    name: 'audit-open',
    text: OPEN,
    values: [stream, changeNumber, observer, action, limit],
  });
  return rows;
}

export async function countOpen(client: ClientBase | Pool, stream: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    'select count(*)::int as count from observers.unaccounted where stream = $1 and dismissed_at is null',
    [stream],
  );
  return rows[0]?.count ?? 0;
}

/** Changes that were decided after their turn, and are not accounted for yet. */
export async function readLateDecisions(client: ClientBase, stream: string, limit: number): Promise<number[]> {
  const { rows } = await client.query<{ number: number }>({
    name: 'audit-late',
    text: `select change_number::float8 as number from observers.late_decision where stream = $1 and not audited order by change_number limit $2`,
    values: [stream, limit],
  });
  return rows.map(({ number }) => number);
}

const OLDEST = `
  select coalesce(min(pk) - 1, 0)::float8 as behind from (
    select pk_entity_change_log as pk from core.tb_entity_change_log where change_xid >= '0'::xid8 order by change_xid limit 1000) oldest`;

/** Before the first change that was ever a change to us: there may be years of history before it. */
export async function readBeginning(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ behind: number }>({ name: 'audit-beginning', text: OLDEST });
  return rows[0]?.behind ?? 0;
}
