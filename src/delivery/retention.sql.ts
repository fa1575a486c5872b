import type { ClientBase, Pool } from 'pg';

const DAYS_AHEAD = 3;

/** Makes the partitions of `observers.attempt` for today and the days to come. A day is UTC's. */
export async function createAttemptPartitions(client: ClientBase | Pool): Promise<void> {
  const { rows } = await client.query<{ name: string; first: string; next: string }>(
    `select 'attempt_' || to_char(day, 'YYYYMMDD') as name, day::text as first, (day + interval '1 day')::text as next
     from generate_series(date_trunc('day', now() at time zone 'UTC'), date_trunc('day', now() at time zone 'UTC') + $1 * interval '1 day', '1 day') as day
     where to_regclass('observers.attempt_' || to_char(day, 'YYYYMMDD')) is null`,
    [DAYS_AHEAD],
  );
  for (const { name, first, next } of rows) {
    // Names and dates are made above from a timestamp; DDL takes no parameters.
    await client.query(
      `create table if not exists observers.${name} partition of observers.attempt for values from ('${first}+00') to ('${next}+00')`,
    );
  }
}

/** Drops whole days of attempts that are older than the retention. @returns the names of the dropped partitions */
export async function dropOldAttempts(client: ClientBase | Pool, retention: number): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'observers.attempt'::regclass and c.relname ~ '^attempt_\\d{8}$'
       and to_date(substr(c.relname, 9), 'YYYYMMDD') + 1 < (now() - $1::float8 * interval '1 ms') at time zone 'UTC'`,
    [retention],
  );
  for (const { name } of rows) await client.query(`drop table if exists observers.${name}`);
  return rows.map(({ name }) => name);
}

// Only what every stream has passed, whose deliveries have all ended, and that nobody has to look at any more. Rows without a
// transaction are history from before us: not ours to delete.
const CUT = `
  with floor as (
    select min(pg_snapshot_xmin(previous)) as xmin from observers.checkpoint
  ), old as (
    select pk_entity_change_log as pk from core.tb_entity_change_log l, floor
    where l.change_xid < floor.xmin and l.created_at < now() - $1::float8 * interval '1 ms'
      and not exists (select from observers.pending_delivery p where p.change_number = l.pk_entity_change_log)
      and not exists (select from observers.dead_letter d where d.change_number = l.pk_entity_change_log and d.resolved_at is null)
      and not exists (select from observers.quarantine q where q.change_number = l.pk_entity_change_log and q.resolved_at is null)
      and not exists (select from observers.unaccounted u where u.change_number = l.pk_entity_change_log and u.dismissed_at is null)
    order by l.change_xid, l.pk_entity_change_log limit $2
  )
  delete from core.tb_entity_change_log l using old where l.pk_entity_change_log = old.pk`;

/** Cuts at most `batch` rows from the old end of the change log: no lock is held for long. @returns how many it cut */
export async function cutChangeLog(client: ClientBase | Pool, retention: number, batch: number): Promise<number> {
  const { rowCount } = await client.query(CUT, [retention, batch]);
  return rowCount ?? 0;
}

const GONE = (table: string, settled: string): string => `
  delete from observers.${table} where ctid = any (array(
    select o.ctid from observers.${table} o
    where ${settled} and not exists (select from core.tb_entity_change_log l where l.pk_entity_change_log = o.change_number) limit $1))`;
const SETTLED = [GONE('unaccounted', 'dismissed_at is not null'), GONE('late_decision', 'audited')];

/** Forgets what the audit has settled about changes that are gone. @returns how many rows */
export async function forgetAudited(client: ClientBase | Pool, batch: number): Promise<number> {
  let forgotten = 0;
  for (const statement of SETTLED) forgotten += (await client.query(statement, [batch])).rowCount ?? 0;
  return forgotten;
}
