import type { ClientBase, Pool } from 'pg';

const DAYS_AHEAD = 3;

/**
 * Makes the partitions of `observers.attempt` for today and the days to come. A day is UTC's.
 *
 * @throws 55P03 when somebody has the table for longer than a moment; then outcomes go to the default partition
 */
export async function createAttemptPartitions(client: ClientBase | Pool): Promise<void> {
  await client.query('select observers.make_attempt_partitions($1::int)', [DAYS_AHEAD]);
}

/** Drops whole days of attempts that are older than the retention. @returns the names of the dropped partitions */
export async function dropOldAttempts(client: ClientBase | Pool, retention: number): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>("select observers.drop_attempt_partitions($1::float8 * interval '1 ms') as name", [
    retention,
  ]);
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
