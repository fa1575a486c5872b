import type { MigrationInterface, QueryRunner } from 'typeorm';
import { LONG_WAY } from './0016-long-way.sql';

/**
 * Why: what the capture of every table has in common stands once. A captured table's own functions hold the short path of one row and
 * of many; these hold what is seldom needed.
 *
 * None of them reads a table of the users, or calls a function of theirs. Two run with the rights of the log's owner: `capture_chain` renumbers
 * the log, but only rows of the transaction that calls it, and only capture functions call it; `capture_mark` is a trigger, and draws one number
 * of the log. All others run with the rights of whoever calls them.
 */
export class CaptureFunctions0016 implements MigrationInterface {
  readonly name = 'CaptureFunctions1700000000016';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table observers.captured_table add column if not exists relid oid, add column if not exists functions text');
    await runner.query(RELATIONS);
    const [log] = (await runner.query(LOG)) as { sequence: string | null; owner: string; isAnother: boolean }[];
    for (const statement of statements(`'${(log?.sequence ?? '').replaceAll("'", "''")}'::regclass`)) await runner.query(statement);
    if (!log) return;
    for (const name of AS_OWNER) await runner.query(`alter function ${name} owner to ${log.owner}`);
    if (!log.isAnother) return;
    // Whoever owns a log that was adopted may know nothing of our schema, nor own the log's, or the sequence.
    await runner.query(`grant usage on schema core, observers to ${log.owner}`);
    if (log.sequence !== null) await runner.query(`grant usage on sequence ${log.sequence} to ${log.owner}`);
  }

  async down(): Promise<void> {}
}

// Earlier versions wrote names as they are, nothing quoted.
const RELATIONS = `
  update observers.captured_table t set relid = c.oid, relation = format('%I.%I', n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where t.relid is null and c.relkind in ('r', 'p') and t.relation in (n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname))`;

const AS_OWNER = ['observers.capture_mark()', 'observers.capture_chain(bigint, bigint)'];

// What updates the log runs triggers and defaults of the log's owner, which is not to be as a superuser where that owner is none.
// An adopted log may have a default that names a sequence of no column.
const LOG = `
  select coalesce((select format('%I.%I', n.nspname, s.relname) from pg_attrdef f
                   join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attname = 'pk_entity_change_log'
                   join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
                   join pg_class s on s.oid = d.refobjid and s.relkind = 'S' join pg_namespace n on n.oid = s.relnamespace where f.adrelid = c.oid limit 1),
                  pg_get_serial_sequence('core.tb_entity_change_log', 'pk_entity_change_log')) as sequence,
         format('%I', case when me.rolsuper then o.rolname else me.rolname end) as owner, me.rolsuper and o.oid <> me.oid as "isAnother"
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
 * What triggers of others write within a statement is recorded before the statement, though some of it came later. So tables with such
 * triggers keep book, in settings that end with the transaction: which statements are open (\`open\`), and which of them alone changed rows so far
 * (\`active\`). Numbers of the log serve as the clock. A statement that was not disturbed changed all its rows when it began.
 */
const mark = (sequence: string): string => `
create or replace function observers.capture_mark() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  statement constant text := tg_argv[0] || tg_op;
  opened constant text := coalesce(current_setting('observers.open', true), '');
  mark constant text := nextval(${sequence})::text;
begin
  if opened = '' then perform set_config('observers.since', mark, true); end if;
  perform set_config('observers.open', opened || ' ' || statement || ':' || mark, true);
  perform set_config('observers.active', statement, true);
  return null;
end $$`;

/** When a row changed after another statement did something. The row is known by its key, of which a hash is enough. */
const note = (sequence: string): string => `
create or replace function observers.capture_note(statement text, key text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  mark constant text := (regexp_match(current_setting('observers.open', true), '.* ' || statement || ':([0-9]+)'))[1];
begin
  if mark is not null then
    perform observers.capture_book(format('[%s, %s, %s]', mark, nextval(${sequence}), hashtextextended(key, 0)));
    -- What other statements change from now on comes after this row.
    perform set_config('observers.active', '', true);
  end if;
end $$`;

// In pieces: a setting is copied when something is added to it, and a statement may change a million rows.
const BOOK = `
create or replace function observers.capture_book(entry text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  book text := coalesce(current_setting('observers.book', true), '') || ',' || entry;
  pieces int;
begin
  if octet_length(book) > 4000 then
    pieces := coalesce(nullif(current_setting('observers.book_pieces', true), ''), '0')::int + 1;
    perform set_config('observers.book_' || pieces, book, true), set_config('observers.book_pieces', pieces::text, true);
    book := '';
  end if;
  perform set_config('observers.book', book, true);
end $$`;

/** The statement whose rows are about to be recorded is open no longer: answers with when it began. Its kind may be open outside of it, too. */
const CLOSE = `
create or replace function observers.capture_close(statement text) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  parts constant text[] := regexp_match(current_setting('observers.open', true), '^(.*) ' || statement || ':([0-9]+)(.*)$');
begin
  if parts is null then return null; end if;
  perform set_config('observers.open', parts[1] || parts[3], true), set_config('observers.active', '', true);
  return parts[2];
end $$`;

/**
 * Once the outermost statement is recorded, gives rows of the log numbers by the clock where they stand otherwise. Nobody else has seen
 * them: they are not committed. \`first\`: the number behind which the rows of the statement stand that began at \`mark\`.
 */
const chain = (sequence: string): string => `
create or replace function observers.capture_chain(mark bigint, first bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  since constant bigint := nullif(current_setting('observers.since', true), '')::bigint;
  is_outermost constant boolean := coalesce(current_setting('observers.open', true), '') = '';
  is_mixed boolean := not is_outermost;
  pieces int;
  book text;
  misplaced bigint;
begin
  if mark is null then return; end if;
  if is_outermost then
    is_mixed := exists (select from core.tb_entity_change_log
                        where change_xid = pg_current_xact_id() and pk_entity_change_log > since and pk_entity_change_log < first);
  end if;
  if is_mixed and currval(${sequence}) > first then
    perform observers.capture_book(format('[%s, %s, %s, 0]', mark, first, currval(${sequence})));
  end if;
  if not is_outermost then return; end if;
  book := coalesce(current_setting('observers.book', true), '');
  if book = '' and coalesce(current_setting('observers.book_pieces', true), '') = '' then return; end if;
  pieces := coalesce(nullif(current_setting('observers.book_pieces', true), ''), '0')::int;
  book := coalesce((select string_agg(current_setting('observers.book_' || i), '' order by i) from generate_series(1, pieces) i), '') || book;
  perform set_config('observers.book_' || i, '', true) from generate_series(1, pieces) i;
  perform set_config('observers.book', '', true), set_config('observers.book_pieces', '', true);
  if not is_mixed then return; end if;
  for misplaced in select observers.capture_misplaced(since, ('[' || ltrim(book, ',') || ']')::jsonb) loop
    update core.tb_entity_change_log set pk_entity_change_log = default, id = default where pk_entity_change_log = misplaced;
  end loop;
end $$`;

/**
 * The rows that need other numbers, in the order in which they get them. Rows of one entity must stand as they were changed, and those of
 * a statement that began when another had changed its last row, behind that one's; how else statements mix (an upsert is two) may stay.
 *
 * The book has statements, [began, numbers after, up to, 0], and rows that were changed later than their statement began, [began, when,
 * hash of the key]. A statement may change one key twice: the last rows of a key belong to its last notes.
 *
 * The planner takes the book for a hundred entries, and it may have a hundred thousand: so nothing is compared with each entry in turn.
 */
const MISPLACED = `
create or replace function observers.capture_misplaced(since bigint, book jsonb) returns setof bigint
language sql set search_path = pg_catalog, pg_temp set enable_nestloop = off as $$
  with entry as (
    select (e ->> 0)::bigint as mark, (e ->> 1)::bigint as one, (e ->> 2)::bigint as two, jsonb_array_length(e) = 4 as is_statement
    from jsonb_array_elements(book) e
  ), row_or_statement as (
    select pk_entity_change_log as pk, object_type as entity, object_key as key, null::bigint[] as statement
    from core.tb_entity_change_log where change_xid = pg_current_xact_id() and pk_entity_change_log > since
    union all
    select one, null, null, array[one, two, mark] from entry where is_statement
  ), within as (
    -- Statements were recorded one after the other: the last that began to be recorded before a row is the row's, if it was not over.
    select *, max(statement) over (order by pk, statement nulls last rows unbounded preceding) as last from row_or_statement
  ), recorded as (
    select pk, entity, key, case when pk <= last[2] then last[3] end as mark from within where statement is null
  ), numbered as (
    select *, hashtextextended(key, 0) as hash, row_number() over (partition by mark, key order by pk desc) as from_end from recorded
  ), noted as (
    select mark, one as changed, two as hash, row_number() over (partition by mark, two order by one desc) as from_end from entry where not is_statement
  ), timed as (
    select r.pk, r.entity, r.key, coalesce(r.mark, r.pk) as began, coalesce(n.changed, r.mark, r.pk) as changed
    from numbered r left join noted n on array[n.mark, n.hash, n.from_end] = array[r.mark, r.hash, r.from_end]
  ), compared as (
    select pk, changed,
      lag(pk) over (partition by entity, key order by changed, pk) > pk
        or max(began) over (order by pk rows between unbounded preceding and 1 preceding) > max(changed) over (partition by began) as is_wrong,
      lag(pk) over (order by changed, pk) > pk as steps_back,
      row_number() over (order by changed, pk) as place
    from timed
  )
  select pk from compared
  where (select bool_or(is_wrong) from compared) and place >= (select min(place) from compared where steps_back) order by place
$$`;

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

// A session could put own changes into another order: only what records them may. Before it is given away, while it is ours to close.
const CLOSED = 'revoke all on function observers.capture_chain(bigint, bigint) from public';

/** @param sequence of the log's numbers: none of these takes another one */
const statements = (sequence: string): string[] => [
  ...[TRACE_CONTEXT, KEY_CHANGED, BOOK, CLOSE, MISPLACED, TRUNCATE_MARK, TRUNCATED, ...LONG_WAY],
  ...[mark(sequence), note(sequence), chain(sequence), CLOSED],
];
