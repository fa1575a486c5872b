import type { ClientBase, Pool } from 'pg';
import type { Cursor } from './cursor';

/** SQL: the version that the stream was led with last; null before the first. */
export const currentVersionOf = (stream: string): string =>
  `(select config_version from observers.config_period where stream = ${stream} order by epoch desc, number desc limit 1)`;

/** SQL: places in the order in which a reader comes to them. Of two snapshots with the same bounds the earlier one has more under way. */
const place = (of: string): string =>
  `row(pg_snapshot_xmax(${of}previous), pg_snapshot_xmin(${of}previous), -(select count(*) from pg_snapshot_xip(${of}previous)), ${of}target is not null, ${of}after)`;

// After a crash the stream goes back behind the place at which a reload took effect: what lies between is decided anew.
const BEGIN = `
  with n as (select $4::pg_snapshot as previous, $5::pg_snapshot as target, $6::bigint as after)
  insert into observers.config_period (stream, epoch, config_version, previous, target, after)
  select $1, $2, $3::int, n.previous, n.target, n.after from n
  where not exists (
    select from (select * from observers.config_period where stream = $1 order by epoch desc, number desc limit 1) p
    where p.config_version = $3::int and ${place('p.')} <= ${place('n.')})`;

/** From this place on the stream's events are decided by this version. Nothing is written when that is on record already. */
export async function beginPeriod(
  client: ClientBase | Pool,
  { stream, epoch, configVersion }: { readonly stream: string; readonly epoch: number; readonly configVersion: number },
  { previous, target, after }: Cursor,
): Promise<void> {
  await client.query(BEGIN, [stream, epoch, configVersion, previous, target, after]);
}

/**
 * SQL: whether the place `at` (a checkpoint, a period's beginning) lies behind the change `l`. The same as what the reader calls new,
 * negated. Where a row holds two places, `prefix` says which.
 */
export const passed = (at: string, l: string, prefix = ''): string =>
  `(pg_visible_in_snapshot(${l}.change_xid, ${at}.${prefix}previous)
    or coalesce(pg_visible_in_snapshot(${l}.change_xid, ${at}.${prefix}target) and ${l}.pk_entity_change_log <= ${at}.${prefix}after, false))`;

/**
 * SQL: the version that decided the change `l` of the stream `stream`, or will; null for one that was passed before versions were
 * recorded. After a crash events may be decided once more, by the version of then: it is the last that counts. A change that left
 * quarantine was decided then, and not in its turn.
 */
export const versionOf = (stream: string, l: string): string =>
  `coalesce(
    (select d.config_version from observers.late_decision d where d.stream = ${stream} and d.change_number = ${l}.pk_entity_change_log),
    (select p.config_version from observers.config_period p where p.stream = ${stream} and not ${passed('p', l)} order by p.epoch desc, p.number desc limit 1))`;

/** The versions that decided these changes, by their numbers. What was decided before versions were recorded is left out. */
export async function readDecidingVersions(
  client: ClientBase | Pool,
  stream: string,
  changeNumbers: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (changeNumbers.length === 0) return new Map();
  const { rows } = await client.query<{ change: number; version: number | null }>(
    `select l.pk_entity_change_log::float8 as change, ${versionOf('$1', 'l')} as version
     from core.tb_entity_change_log l where l.pk_entity_change_log = any ($2::bigint[])`,
    [stream, changeNumbers],
  );
  return new Map(rows.flatMap(({ change, version }) => (version === null ? [] : [[change, version] as const])));
}
