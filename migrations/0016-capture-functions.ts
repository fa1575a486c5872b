import type { MigrationInterface, QueryRunner } from 'typeorm';
import { LONG_WAY } from './0016-long-way.sql';

/**
 * Why: what the capture of every table has in common stands once. A captured table's own functions hold the short path of one row and
 * of many; these hold what is seldom needed.
 *
 * None of them reads a table of the users. `capture_chain` may renumber the log, but only rows of the transaction that calls it; `capture_mark`
 * draws one of its numbers. All others run with the rights of whoever calls them.
 */
export class CaptureFunctions0016 implements MigrationInterface {
  readonly name = 'CaptureFunctions1700000000016';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table observers.captured_table add column if not exists relid oid, add column if not exists functions text');
    await runner.query('update observers.captured_table set relid = to_regclass(relation) where relid is null');
    const [log] = (await runner.query(LOG)) as { sequence: string; owner: string }[];
    for (const statement of [...STATEMENTS, mark(log?.sequence ?? '')]) await runner.query(statement);
    if (log) await runner.query(`alter function observers.capture_chain(text, text, bigint, regclass) owner to ${log.owner}`);
  }

  async down(): Promise<void> {}
}

// What updates the log runs triggers and defaults of the log's owner, which is not to be as a superuser where that owner is none.
const LOG = `
  select pg_get_serial_sequence('core.tb_entity_change_log', 'pk_entity_change_log') as sequence,
         format('%I', case when me.rolsuper then o.rolname else me.rolname end) as owner
  from pg_class c join pg_roles o on o.oid = c.relowner cross join pg_roles me
  where c.oid = 'core.tb_entity_change_log'::regclass and me.rolname = current_user`;

// Each is cut: what a session sets may be 100 MB, and no write may fail for it, nor any reader. Null when an application has set none.
const TRACE_CONTEXT = `
create or replace function observers.trace_context() returns pg_catalog.jsonb language sql stable set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('traceparent', t.traceparent, 'tracestate', t.tracestate, 'cause', t.cause)
  from (select nullif(left(current_setting('observers.traceparent', true), 1000), '') as traceparent,
               nullif(left(current_setting('observers.tracestate', true), 1000), '') as tracestate,
               nullif(left(current_setting('observers.cause', true), 10000), '') as cause offset 0) t
  where t.traceparent is not null or t.cause is not null
$$`;

// Makes a capture function leave the path of one unchanged key, as a second row would.
const KEY_CHANGED = `
create or replace function observers.key_changed() returns pg_catalog.text language plpgsql as $$
begin
  raise exception 'the key changed' using errcode = 'too_many_rows';
end $$`;

/**
 * Statements that triggers of others make are recorded before the statement that fired them, though they came later. So a table with
 * such triggers notes where the log stands when a statement begins: rows of its transaction behind that place were written by triggers.
 */
const mark = (sequence: string): string => `
create or replace function observers.capture_mark() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('observers.mark_' || tg_argv[0] || '_' || pg_trigger_depth(), nextval('${sequence.replaceAll("'", "''")}'::regclass)::text, true);
  perform set_config('observers.noted_' || tg_argv[0] || '_' || pg_trigger_depth(), '', true);
  return null;
end $$`;

/**
 * Gives the rows of nested statements numbers behind those of the statement that fired them. Nobody else has seen them: they are not
 * committed. What a BEFORE trigger wrote about an entity before its row was changed stays where it is; the row's own trigger noted that.
 */
const CHAIN = `
create or replace function observers.capture_chain(capture text, entity text, first bigint, sequence regclass) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  depth constant text := capture || '_' || pg_trigger_depth();
  mark constant bigint := nullif(current_setting('observers.mark_' || depth, true), '')::bigint;
  noted constant jsonb := ('{' || ltrim(current_setting('observers.noted_' || depth, true), ',') || '}')::jsonb;
  last constant bigint := currval(sequence);
  nested bigint;
begin
  for nested in
    select pk_entity_change_log from core.tb_entity_change_log
    where change_xid = pg_current_xact_id() and pk_entity_change_log > mark and pk_entity_change_log < first
      and not (object_type = entity and pk_entity_change_log <= coalesce((noted ->> object_key)::bigint, 0))
    order by pk_entity_change_log
  loop
    update core.tb_entity_change_log set pk_entity_change_log = default, id = default where pk_entity_change_log = nested;
  end loop;
  -- The next trigger of the same statement (an upsert has two) puts the nested ones behind its rows too, and leaves ours.
  if mark is not null then perform set_config('observers.mark_' || depth, last::text, true); end if;
  if pg_trigger_depth() > 1 then perform set_config('observers.nested_' || capture, currval(sequence)::text, true); end if;
end $$`;

/** Notes of one entity where the log stands: what triggers wrote about it before its row was changed. */
const NOTE = `
create or replace function observers.capture_note(capture text, key text, nested text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  depth constant text := capture || '_' || pg_trigger_depth();
begin
  if nested::bigint > nullif(current_setting('observers.mark_' || depth, true), '')::bigint then
    perform set_config('observers.noted_' || depth,
      current_setting('observers.noted_' || depth, true) || ',' || to_json(key)::text || ':' || nested, true);
  end if;
end $$`;

/**
 * TRUNCATE of a partitioned table fires the triggers of its partitions too, all BEFORE ones first. So these note which tables the
 * command has, and a partition whose parent is among them is not recorded on its own.
 */
const TRUNCATE_MARK = `
create or replace function observers.capture_truncate_mark() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  setting constant text := 'observers.truncate_' || tg_argv[0] || '_' || pg_trigger_depth();
  known constant jsonb := coalesce(nullif(current_setting(setting, true), '')::jsonb, '{"all": [], "left": []}');
begin
  perform set_config(setting, jsonb_build_object('all', known -> 'all' || to_jsonb(tg_relid::int8),
                                                 'left', known -> 'left' || to_jsonb(tg_relid::int8))::text, true);
  return null;
end $$`;

const TRUNCATED = `
create or replace function observers.capture_truncated(capture text, relation oid) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  setting constant text := 'observers.truncate_' || capture || '_' || pg_trigger_depth();
  known constant jsonb := nullif(current_setting(setting, true), '')::jsonb;
  others constant jsonb := coalesce((select jsonb_agg(l) from jsonb_array_elements(known -> 'left') l where l <> to_jsonb(relation::int8)), '[]');
begin
  perform set_config(setting, case when others = '[]' then '' else jsonb_set(known, '{left}', others)::text end, true);
  return exists (select from pg_partition_ancestors(relation) a where a.relid <> relation and known -> 'all' @> to_jsonb(a.relid::oid::int8));
end $$`;

const STATEMENTS = [TRACE_CONTEXT, KEY_CHANGED, CHAIN, NOTE, TRUNCATE_MARK, TRUNCATED, ...LONG_WAY];
