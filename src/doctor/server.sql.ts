import type { Client } from 'pg';

/** The server as a whole. */
export interface ServerFacts {
  readonly version: string;
  readonly database: string;
  /** The session that the server sees; another one than the driver was told stands behind a pooler. */
  readonly pid: number;
  /** Milliseconds since 1970, by the server's clock. */
  readonly now: number;
  readonly isStandby: boolean;
  readonly synchronousCommit: string;
  /** As PostgreSQL names it. */
  readonly encoding: string;
  /** Where `default_transaction_read_only` was switched on, as pg_settings names it; null where it is off. */
  readonly readOnlyBy: string | null;
  readonly role: string;
}

const SERVER = `
  select current_setting('server_version') as version, current_database() as database, pg_backend_pid() as pid,
         (extract(epoch from clock_timestamp()) * 1000)::float8 as now, pg_is_in_recovery() as "isStandby",
         current_setting('synchronous_commit') as "synchronousCommit", getdatabaseencoding()::text as encoding, current_user::text as role,
         (select source from pg_settings where name = 'default_transaction_read_only' and setting = 'on') as "readOnlyBy"`;

export async function readServer(client: Client): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(SERVER);
  if (!rows[0]) throw new Error('the server said nothing about itself');
  return rows[0];
}

/** What keeps PostgreSQL from removing dead rows, and its own changes from being delivered. */
export interface Holdup {
  readonly kind: 'transaction' | 'prepared' | 'slot';
  /** pid, name of the prepared transaction, or name of the slot. */
  readonly name: string;
  readonly user: string | null;
  readonly seconds: number | null;
  readonly query: string | null;
}

const HOLDUPS = `
  select 'transaction' as kind, pid::text as name, usename::text as user, extract(epoch from clock_timestamp() - xact_start)::float8 as seconds,
         left(regexp_replace(case when getdatabaseencoding() = 'UTF8' then query else regexp_replace(query, '[^\\x01-\\x7f]', '?', 'g') end, '\\s+', ' ', 'g'), 80) as query
  from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start < clock_timestamp() - $1::float8 * interval '1 ms'
  union all
  select 'prepared', gid, owner::text, extract(epoch from clock_timestamp() - prepared)::float8, null
  from pg_prepared_xacts where database = current_database() and prepared < clock_timestamp() - $1::float8 * interval '1 ms'
  union all
  select 'slot', slot_name::text, null, null, null from pg_replication_slots
  where not active and (xmin is not null or catalog_xmin is not null)
  order by seconds desc nulls last`;

/** @param longer than this, in milliseconds */
export async function readHoldups(client: Client, longer: number): Promise<Holdup[]> {
  const { rows } = await client.query<Holdup>(HOLDUPS, [longer]);
  return rows;
}

export interface BloatedTable {
  readonly table: string;
  readonly dead: number;
  readonly live: number;
  /** RFC 3339; null: never. */
  readonly vacuumed: string | null;
}

const BLOAT = `
  select format('%I.%I', schemaname, relname) as table, n_dead_tup::float8 as dead, n_live_tup::float8 as live,
         to_json(greatest(last_vacuum, last_autovacuum)) #>> '{}' as vacuumed
  from pg_stat_user_tables
  where (schemaname = 'observers' or schemaname = 'core' and relname = 'tb_entity_change_log') and n_dead_tup > $1 and n_dead_tup > n_live_tup
  order by n_dead_tup desc`;

/** Tables of ours with more dead rows than live ones. @param least dead rows that matter */
export async function readBloat(client: Client, least: number): Promise<BloatedTable[]> {
  const { rows } = await client.query<BloatedTable>(BLOAT, [least]);
  return rows;
}

const INDEXES = `
  select wanted.name, i.indisvalid as valid from unnest($1::text[]) as wanted(name)
  left join pg_index i on i.indexrelid = to_regclass('core.' || wanted.name)
  where i.indexrelid is null or not i.indisvalid`;

/** Those of these indexes of the schema core that are missing (null) or invalid (false). */
export async function readBrokenIndexes(client: Client, names: readonly string[]): Promise<{ name: string; valid: boolean | null }[]> {
  const { rows } = await client.query<{ name: string; valid: boolean | null }>(INDEXES, [names]);
  return rows;
}

const OLDEST = `
  select to_json(l.created_at) #>> '{}' as written, extract(epoch from clock_timestamp() - l.created_at)::float8 * 1000 as age,
         (select count(*)::int from observers.dead_letter where resolved_at is null) as dead,
         (select count(*)::int from observers.quarantine where resolved_at is null) as quarantined
  from core.tb_entity_change_log l where change_xid is not null order by pk_entity_change_log limit 1`;

/** The oldest change that is kept; null when there is none. */
export async function readOldestChange(
  client: Client,
): Promise<{ written: string; age: number; dead: number; quarantined: number } | null> {
  const { rows } = await client.query<{ written: string; age: number; dead: number; quarantined: number }>(OLDEST);
  return rows[0] ?? null;
}
