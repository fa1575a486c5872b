import type { ClientBase } from 'pg';
import type { Retained } from './policy';

/** One table. */
export interface RetainedTable {
  readonly table: Retained;
  /** Of the oldest that is kept; RFC 3339. Null where there is none. */
  readonly oldest: string | null;
  /** As PostgreSQL estimates them. */
  readonly rows: number;
  /** With indexes. */
  readonly bytes: number;
}

const time = (expression: string): string => `to_json(${expression}) #>> '{}'`;

const DAYS = `
  select to_date(substr(c.relname::text, 9), 'YYYYMMDD')::timestamp at time zone 'UTC' as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'observers.attempt'::regclass and c.relname ~ '^attempt_\\d{8}$'`;
const FIRST_DAY = `select min(day) from (${DAYS}) days`;

// By an index, or of tables that people fill. What is still open is not what a retention is about.
const OLDEST: Readonly<Record<Retained, { readonly relation: string; readonly oldest: string }>> = {
  change_log: {
    relation: 'core.tb_entity_change_log',
    oldest:
      "select created_at from core.tb_entity_change_log where change_xid >= '0'::xid8 order by change_xid, pk_entity_change_log limit 1",
  },
  attempt: {
    relation: 'observers.attempt',
    // What is older than the first day lies in the default partition, which alone is read.
    oldest: `select coalesce((select min(finished_at) from observers.attempt where finished_at < (${FIRST_DAY})), (${FIRST_DAY}))`,
  },
  dead_letter: { relation: 'observers.dead_letter', oldest: 'select min(resolved_at) from observers.dead_letter' },
  quarantine: { relation: 'observers.quarantine', oldest: 'select min(resolved_at) from observers.quarantine' },
  config_version: { relation: 'observers.config_version', oldest: 'select min(loaded_at) from observers.config_version' },
  operation: { relation: 'observers.operation', oldest: 'select at from observers.operation order by number limit 1' },
  dedup: { relation: 'observers.dedup', oldest: 'select null::timestamptz' },
  audit: {
    relation: 'observers.late_decision',
    oldest: `select least((select min(dismissed_at) from observers.unaccounted), (select min(decided_at) from observers.late_decision where audited))`,
  },
};

const TABLES = Object.entries(OLDEST)
  .map(([table, { relation, oldest }]) => `select '${table}' as "table", '${relation}'::regclass::oid as relation, (${oldest}) as oldest`)
  .join(' union all ');

const STATUS = `
  select t."table", ${time('t.oldest')} as oldest, sizes.rows, sizes.bytes
  from (${TABLES}) t, lateral (
    select coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 as rows, coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes
    from pg_class c where c.relkind = 'r' and (c.oid = t.relation or c.oid in (select relid from pg_partition_tree(t.relation)))) sizes`;

export async function readRetained(client: ClientBase): Promise<RetainedTable[]> {
  const { rows } = await client.query<RetainedTable>(STATUS);
  return rows;
}

/** Something because of which more is kept than the settings say. */
export interface Hold {
  /** `foreign reader`: its place is of another cluster, and a person has to decide where it goes on. */
  readonly kind: 'reader' | 'foreign reader' | 'replay' | 'pending' | 'dead letter' | 'quarantine' | 'unaccounted' | 'attempt day';
  /** Which one; null where it is many. */
  readonly name: string | null;
  /** Changes, or days; null where nobody counts them. */
  readonly count: number | null;
  /** Of the oldest change, or day; RFC 3339. */
  readonly oldest: string | null;
}

/** Counted at most; more are "and more". */
export const HOLDS_COUNTED = 10_000;

const OLD = "now() - $1::float8 * interval '1 ms'";

const READERS = `
  select case when r.passed = '0'::xid8 then 'foreign reader' else 'reader' end as kind, r.reader as name, null::int as count, l.created_at as oldest
  from observers.log_readers() r left join lateral (
    select created_at from core.tb_entity_change_log
    where change_xid >= r.passed and not pg_visible_in_snapshot(change_xid, r.place) order by change_xid limit 1) l on true
  where r.passed = '0'::xid8 or l.created_at < ${OLD}`;

const REPLAYS = `select 'replay', left(token, 4), null, made_at from observers.open_replays() where begun_at_change is not null`;

const items = (kind: Hold['kind'], table: string, open: string): string => `
  select '${kind}', null, count(*)::int, min(l.created_at)
  from (select change_number from observers.${table} where ${open} order by change_number limit ${HOLDS_COUNTED}) i
  join core.tb_entity_change_log l on l.pk_entity_change_log = i.change_number
  where l.created_at < ${OLD} having count(*) > 0`;

const OLD_DAYS = `
  select 'attempt day', null, count(*)::int, min(day) from (${DAYS}) d
  where day + interval '1 day' < now() - $2::float8 * interval '1 ms' having count(*) > 0`;

const HOLDS = `
  select kind, name, count, ${time('oldest')} as oldest from (
    ${[
      READERS,
      REPLAYS,
      items('pending', 'pending_delivery', 'true'),
      items('dead letter', 'dead_letter', 'resolved_at is null'),
      items('quarantine', 'quarantine', 'resolved_at is null'),
      items('unaccounted', 'unaccounted', 'dismissed_at is null'),
      OLD_DAYS,
    ].join(' union all ')}) holds`;

/** @param changes milliseconds for which changes are kept @param attempts the same of attempts */
export async function readHolds(client: ClientBase, changes: number, attempts: number): Promise<Hold[]> {
  const { rows } = await client.query<Hold>(HOLDS, [changes, attempts]);
  return rows;
}
