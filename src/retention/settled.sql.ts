import type { ClientBase } from 'pg';
import { FLOOR, isReferredTo } from './change-log-cut.sql';

/** Removes a day of attempts that nobody needs any more. @returns its partition; null when there is none. @throws 55P03 when somebody has the table */
export async function dropAttemptDay(client: ClientBase, retention: number): Promise<string | null> {
  const { rows } = await client.query<{ name: string }>("select observers.drop_attempt_partitions($1::float8 * interval '1 ms') as name", [
    retention,
  ]);
  return rows[0]?.name ?? null;
}

// Attempts that found no partition of their day, and those of days that were dropped while something was still open. By the table as a whole: a
// partition has no grants of its own. Of days that are younger nothing is read.
const LOOSE_ATTEMPTS = `
  delete from observers.attempt where tableoid = 'observers.attempt_default'::regclass and ctid = any (array(
    select a.ctid from observers.attempt a
    where a.tableoid = 'observers.attempt_default'::regclass
      and a.finished_at < (select least(now(), min(made_at)) from observers.open_replays()) - $1::float8 * interval '1 ms'
      and not ${isReferredTo('a.change_number')}
      and not exists (select from core.tb_entity_change_log l where l.pk_entity_change_log = a.change_number
                      and l.change_xid >= ${FLOOR})
      and exists (select from observers.log_readers())
    limit $2))`;

// Their history goes with them.
const DEAD_LETTERS = `
  with gone as (
    delete from observers.dead_letter where id = any (array(
      select id from observers.dead_letter where resolved_at < now() - $1::float8 * interval '1 ms' order by resolved_at limit $2)) returning id
  ), history as (
    delete from observers.dead_letter_event e using gone where e.dead_letter_id = gone.id
  )
  select count(*)::int as removed from gone`;

const QUARANTINE = `
  delete from observers.quarantine where change_number = any (array(
    select change_number from observers.quarantine where resolved_at < now() - $1::float8 * interval '1 ms' order by resolved_at limit $2))`;

// Of a quarantined change the history has the id of its event, which nothing but the log knows.
const LEFT_HISTORY = `
  delete from observers.dead_letter_event where ctid = any (array(
    select e.ctid from observers.dead_letter_event e
    where e.at < now() - $1::float8 * interval '1 ms' and not exists (select from observers.dead_letter d where d.id = e.dead_letter_id)
      and not exists (select from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number
                      where l.id = e.dead_letter_id)
    limit $2))`;

// The first of a stream: what one has decided, a later one has not, so that the others mean what they meant.
const PERIODS = `
  delete from observers.config_period where ctid = any (array(
    select p.ctid from observers.config_period p
    where exists (select from observers.config_period q where q.stream = p.stream and (q.epoch, q.number) > (p.epoch, p.number)
                  and q.began_at < now() - $1::float8 * interval '1 ms')
    limit $2))`;

const VERSIONS = `
  with old as materialized (
    select id, hash from observers.config_version v
    where loaded_at < now() - $1::float8 * interval '1 ms' and loaded_at < coalesce((select min(started_at) from observers.listener), 'infinity')
      and not exists (select from observers.config_period p where p.config_version = v.id)
  ), free as materialized (
    select id from old
    where not exists (select from observers.pending_delivery p where p.config_version = old.id)
      and not exists (select from observers.dead_letter d where d.config_version = old.id)
      and not exists (select from observers.unaccounted u where u.config_version = old.id)
      and not exists (select from observers.late_decision l where l.config_version = old.id)
      and not exists (select from observers.item_set s where s.expires_at > now() and s.content ->> 'config' = old.hash)
    order by id limit $2
  )
  delete from observers.config_version v using free where v.id = free.id and v.loaded_at < now() - $1::float8 * interval '1 ms'`;

const settledAudit = (table: string, settled: string, since: string): string => `
  delete from observers.${table} where ctid = any (array(
    select o.ctid from observers.${table} o
    where ${settled} and (${since} < now() - $1::float8 * interval '1 ms'
      or not exists (select from core.tb_entity_change_log l where l.pk_entity_change_log = o.change_number)) limit $2))`;
const DISMISSED = settledAudit('unaccounted', 'dismissed_at is not null', 'dismissed_at');
const DECIDED = settledAudit('late_decision', 'audited', 'decided_at');

type Removal = (client: ClientBase, retention: number, batch: number) => Promise<number>;

/** @returns rows that it removed, at most so many as the batch has */
const by =
  (...statements: readonly string[]): Removal =>
  async (client, retention, batch) => {
    let removed = 0;
    for (const statement of statements) {
      const { rowCount } = await client.query(statement, [retention, batch]);
      removed = Math.max(removed, rowCount ?? 0);
    }
    return removed;
  };

export const removeLooseAttempts = by(LOOSE_ATTEMPTS);
export const removeQuarantine = by(QUARANTINE, LEFT_HISTORY);
export const removeVersions = by(PERIODS, VERSIONS);
export const removeSettledAudit = by(DISMISSED, DECIDED);

export const removeDeadLetters: Removal = async (client, retention, batch) => {
  const { rows } = await client.query<{ removed: number }>(DEAD_LETTERS, [retention, batch]);
  return rows[0]?.removed ?? 0;
};

export const removeOperations: Removal = async (client, retention, batch) => {
  const { rows } = await client.query<{ removed: number }>(
    "select observers.cut_operations($1::float8 * interval '1 ms', $2::int) as removed",
    [retention, batch],
  );
  return rows[0]?.removed ?? 0;
};
