import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: what the capture of every table has in common stands once. A captured table's own functions hold the short path of one row and
 * of many; these hold what is seldom needed.
 *
 * None of them reads a table of the users. `capture_row` runs with the rights of the function that calls it. `capture_chain` may renumber
 * the log, but only rows of the transaction that calls it.
 */
export class CaptureFunctions0016 implements MigrationInterface {
  readonly name = 'CaptureFunctions1700000000016';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table observers.captured_table add column if not exists relid oid, add column if not exists functions text');
    await runner.query('update observers.captured_table set relid = to_regclass(relation) where relid is null');
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

// Each is cut: what a session sets may be 100 MB, and no write may fail for it, nor any reader. Null when an application has set none.
const TRACE_CONTEXT = `
create or replace function observers.trace_context() returns pg_catalog.jsonb language sql stable set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('traceparent', left(t.traceparent, 1000), 'tracestate', left(t.tracestate, 1000), 'cause', left(t.cause, 10000))
  from (select nullif(current_setting('observers.traceparent', true), '') as traceparent,
               nullif(current_setting('observers.tracestate', true), '') as tracestate,
               nullif(current_setting('observers.cause', true), '') as cause) t
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
 * triggers keep book, in settings that end with the transaction: which statements are open (\`open\`), and which of them changed rows last
 * (\`active\`). Numbers of the log serve as the clock. A statement that was not disturbed changed all its rows when it began.
 */
const MARK = `
create or replace function observers.capture_mark() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  statement constant text := tg_argv[0] || tg_op;
  opened constant text := coalesce(current_setting('observers.open', true), '');
  mark constant text := nextval(tg_argv[1]::regclass)::text;
begin
  if opened = '' then perform set_config('observers.since', mark, true); end if;
  perform set_config('observers.open', opened || ' ' || statement || ':' || mark, true);
  perform set_config('observers.active', statement, true);
  return null;
end $$`;

/** Of a row that changes after another statement did something: when. The row is known by its key, of which a hash is enough. */
const NOTE = `
create or replace function observers.capture_note(statement text, key text, sequence regclass) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  mark constant text := (regexp_match(current_setting('observers.open', true), '.* ' || statement || ':([0-9]+)'))[1];
begin
  if mark is not null then
    perform observers.capture_book(format('[%s, %s, %s]', mark, nextval(sequence), hashtextextended(key, 0)));
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
const CHAIN = `
create or replace function observers.capture_chain(mark bigint, first bigint, sequence regclass) returns void
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
  if is_mixed and currval(sequence) > first then
    perform observers.capture_book(format('[%s, %s, %s, 0]', mark, first, currval(sequence)));
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
 */
const MISPLACED = `
create or replace function observers.capture_misplaced(since bigint, book jsonb) returns setof bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
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
    from numbered r left join noted n on n.mark = r.mark and n.hash = r.hash and n.from_end = r.from_end
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

/**
 * The image of one row by the numbers of its columns: as the columns are called now, whatever was renamed since the capture was made.
 * A column whose value cannot be made JSON is null in it, and costs the others nothing.
 */
const ROW_IMAGE = `
create or replace function observers.capture_image(columns jsonb, picked anyelement, out image json, out failure text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  part record;
  fields text[] := '{}';
  value json;
begin
  for part in select c ->> 'name' as name, c ->> 'value' as expression from jsonb_array_elements(columns) c loop
    value := null;
    begin
      execute 'select to_json(' || part.expression || ')' into value using picked;
    exception
      when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
      when others then failure := coalesce(failure, part.name || ': ' || sqlstate || ' ' || sqlerrm);
    end;
    fields := fields || (to_json(part.name)::text || ':' || coalesce(value::text, 'null'));
  end loop;
  image := ('{' || array_to_string(fields, ',') || '}')::json;
end $$`;

/**
 * Records one change the long way: when the short one failed. Whatever cannot be had is left out, and the error is recorded with the
 * rest. \`definition\`: what observers.captured_table has; columns by number (n) and by the name that they had (name).
 */
const ROW = `
create or replace function observers.capture_row(definition jsonb, relation oid, operation text, old_row anyelement, new_row anyelement)
returns void language plpgsql
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set bytea_output = 'hex' set extra_float_digits = 1 as $$
declare
  -- In a database that was restored the numbers are others: there the names count, and masks hold by leaving all data out.
  numbered constant boolean := relation = (definition ->> 'relation')::oid;
  hides constant boolean := (definition ->> 'hides')::boolean;
  current_row constant text := case when operation = 'DELETE' then 'old' else 'new' end;
  failure text;
  key text;
  old_key text;
  key_expression text;
  kept boolean := true;
  columns jsonb;
  data json;
  data_before json;
  tenant uuid;
  changed text[];
  problem text;
  wanted jsonb;
begin
  -- What the definition names, as it is called now.
  with named as (
    select a.attnum as n, a.attname::text as name, a.attgenerated = 'v' as virtual, a.attrelid, a.attnum
    from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
  ), referred as (
    select n, case
      when virtual then (select '(select ' || pg_get_expr(d.adbin, d.adrelid) || ' from (select ($1).*) "$c")' from pg_attrdef d
                         where d.adrelid = attrelid and d.adnum = attnum)
      else format('($1).%I', name) end as expression, name, virtual
    from named
  ), numbers as (
    select kind, coalesce(r.n, -1) as n, item.position, r.expression, r.name
    from (values ('key'), ('hash'), ('drop'), ('exclude'), ('include'), ('when'), ('tenant')) k(kind)
    cross join lateral jsonb_array_elements(case jsonb_typeof(definition -> kind) when 'array' then definition -> kind else '[]' end) with ordinality item(entry, position)
    left join referred r on case when numbered then r.n = (entry ->> 'n')::int else r.name = entry ->> 'name' end
  )
  select jsonb_build_object(
    'key', (select jsonb_agg(expression order by position) from numbers where kind = 'key'),
    'tenant', (select expression from numbers where kind = 'tenant'),
    'when', (select coalesce(string_agg(coalesce(expression, 'null'), ', ' order by position), '') from numbers where kind = 'when'),
    'columns', (select coalesce(jsonb_agg(jsonb_build_object('name', r.name, 'value',
        case when exists (select from numbers h where h.kind = 'hash' and h.n = r.n)
          then 'encode(sha256((select salt from observers.mask_salt) || convert_to((' || r.expression || ')::text, ''UTF8'')), ''hex'')'
          else r.expression end) order by r.n), '[]') from referred r
      where not exists (select from numbers h where h.kind in ('drop', 'exclude') and h.n = r.n)
        and (jsonb_typeof(coalesce(definition -> 'include', 'null')) = 'null'
             or exists (select from numbers h where h.kind = 'include' and h.n = r.n))),
    'changed', (select string_agg(format('case when record_image_ne(row(($1).%1$I), row(($2).%1$I)) then %1$L end', r.name), ', ' order by r.n)
      from referred r
      where not r.virtual and not exists (select from numbers h where h.kind = 'exclude' and h.n = r.n)
        and (jsonb_typeof(coalesce(definition -> 'include', 'null')) = 'null'
             or exists (select from numbers h where h.kind = 'include' and h.n = r.n)))) into wanted;
  columns := wanted -> 'columns';
  if wanted -> 'key' @> 'null' then
    failure := 'a column of the key is gone';
  elsif jsonb_array_length(wanted -> 'key') = 1 then
    key_expression := '(' || (wanted -> 'key' ->> 0) || ')::text';
  else
    key_expression := (select 'json_build_array(' || string_agg(k, ', ' order by position) || ')::text'
                       from jsonb_array_elements_text(wanted -> 'key') with ordinality p(k, position));
  end if;
  if key_expression is not null then
    begin
      execute 'select ' || key_expression into key using case when operation = 'DELETE' then old_row else new_row end;
      if operation = 'UPDATE' then execute 'select ' || key_expression into old_key using old_row; end if;
    exception
      when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
      when others then failure := 'key: ' || sqlstate || ' ' || sqlerrm;
    end;
  end if;
  if operation = 'UPDATE' and old_key is distinct from key then
    perform observers.capture_row(definition, relation, 'DELETE', old_row, null);
    perform observers.capture_row(definition, relation, 'INSERT', null, new_row);
    return;
  end if;
  if definition ->> 'function' is not null then
    begin
      execute 'select ' || (definition ->> 'function') || '(' || (wanted ->> 'when') || ')'
        into kept using case when operation = 'DELETE' then old_row else new_row end;
    exception
      when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
      when others then failure := coalesce(failure, 'when: ' || sqlstate || ' ' || sqlerrm);
    end;
    if kept is not true and failure is null then return; end if;
  end if;
  if wanted ->> 'tenant' is not null then
    begin
      execute 'select ' || (wanted ->> 'tenant') into tenant using case when operation = 'DELETE' then old_row else new_row end;
    exception
      when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
      when others then failure := coalesce(failure, 'tenant: ' || sqlstate || ' ' || sqlerrm);
    end;
  end if;
  if hides and not numbered then
    failure := coalesce(failure, 'the database was restored, or the table made anew: without capture apply nobody knows what to mask');
  else
    if operation <> 'DELETE' then
      select i.image, i.failure into data, problem from observers.capture_image(columns, new_row) i;
      failure := coalesce(failure, problem);
    end if;
    if operation = 'DELETE' or operation = 'UPDATE' and (definition ->> 'before')::boolean then
      select i.image, i.failure into data_before, problem from observers.capture_image(columns, old_row) i;
      failure := coalesce(failure, problem);
    end if;
  end if;
  -- Where both images are whole, readers compare them.
  if operation = 'UPDATE' and (hides or not (definition ->> 'before')::boolean) and numbered then
    execute 'select array_remove(array[' || (wanted ->> 'changed') || '], null)::text[]' into changed using old_row, new_row;
  end if;
  if failure is not null and (definition ->> 'strict')::boolean then
    raise exception 'the change cannot be recorded whole: %', failure using hint = 'The capture of this table is strict.';
  end if;
  insert into core.tb_entity_change_log (object_type, object_key, object_id, modification_type, object_data, object_data_before,
                                         updated_fields, tenant_id, trace_context, extra_metadata)
  values (definition ->> 'entity', key, case when (definition ->> 'uuid')::boolean then key::uuid end, operation, data, data_before, changed, tenant,
          observers.trace_context(), case when failure is not null then jsonb_build_object('capture_error', left(failure, 1000)) end);
end $$`;

const STATEMENTS = [TRACE_CONTEXT, KEY_CHANGED, MARK, BOOK, NOTE, CLOSE, MISPLACED, CHAIN, TRUNCATE_MARK, TRUNCATED, ROW_IMAGE, ROW];
