/**
 * The long way of a capture function: when its short one failed, or the table was changed since. `capture_statement` writes an INSERT over
 * the rows of the trigger, which its caller runs. In it each value goes through a function that catches what fails, so that a bad value
 * costs nothing but itself; the first error of a row is recorded with it.
 *
 * Columns are found by their numbers, and in the statement they are called c1, c2, …: no name of a user's can meet one of ours. No type of
 * a user is named either: naming it needs USAGE on its schema, which the owner of the functions has not.
 */

/** What came of a value: its text, or why there is none. */
const CAPTURED = `
do $$ begin
  create type observers.captured as (value pg_catalog.text, failure pg_catalog.text);
exception when duplicate_object then null;
end $$`;

/** A function that answers with an error where another would raise it. Cancellation and deadlock are the user's own and go through. */
const guarded = (declaration: string, body: string): string => `
create or replace function observers.${declaration} returns observers.captured language plpgsql as $$
declare
  result observers.captured;
begin
  ${body}
  return result;
exception
  when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
  when others then return row(null, sqlstate || ' ' || sqlerrm)::observers.captured;
end $$`;

const HASH = `encode(sha256((select s.salt from observers.mask_salt s) || convert_to(value::text, 'UTF8')), 'hex')`;

const VALUES = [
  guarded('captured_text(value anyelement)', 'result.value := value::text;'),
  guarded('captured_json(value anyelement)', 'result.value := to_json(value)::text;'),
  // For a log whose images are jsonb, which does not take all that json takes.
  guarded('captured_jsonb(value anyelement)', 'result.value := to_json(value)::text;\n  perform result.value::jsonb;'),
  guarded('captured_hash(value anyelement)', `result.value := to_json(${HASH})::text;`),
];

/** A virtual generated column, from the texts of the columns that it is made of. PostgreSQL lets it use built-in types only. */
const COMPUTED = guarded(
  'captured_expression(query text, parts observers.captured[])',
  `execute query into result.value using array(select p.value from unnest(parts) with ordinality p(value, failure, i) order by p.i);`,
);

const KEY = guarded(
  'captured_key(parts observers.captured[])',
  `if cardinality(parts) = 1 then
    result := parts[1];
  else
    select '[' || string_agg(coalesce(p.value, 'null'), ', ' order by p.i) || ']', (array_agg(p.failure) filter (where p.failure is not null))[1]
      into result from unnest(parts) with ordinality p(value, failure, i);
  end if;
  result.failure := 'key: ' || result.failure;`,
);

const IMAGE = guarded(
  'captured_image(names text[], parts observers.captured[])',
  `select '{' || coalesce(string_agg(to_json(p.name)::text || ':' || coalesce(p.value, 'null'), ',' order by p.i), '') || '}',
      (array_agg(p.name || ': ' || p.failure) filter (where p.failure is not null))[1]
    into result from unnest(names, parts) with ordinality p(name, value, failure, i);`,
);

const UUID = `
create or replace function observers.captured_uuid(value text) returns uuid language plpgsql as $$
begin
  return value::uuid;
exception when data_exception then
  return null;
end $$`;

/** For extra_metadata. A strict capture lets the write fail instead. */
const ERROR = `
create or replace function observers.captured_error(failure text, strict boolean) returns jsonb language plpgsql as $$
begin
  if failure is null then return null; end if;
  if strict then
    raise exception 'the change cannot be recorded whole: %', failure using hint = 'The capture of this table is strict.';
  end if;
  return jsonb_build_object('capture_error', left(failure, 1000));
end $$`;

/** Pins what the statement depends on, until capture_restore is given what this returns. */
const SETTLE = `
create or replace function observers.capture_settle() returns pg_catalog.text[] language plpgsql as $$
declare
  former constant pg_catalog.text[] := array[pg_catalog.current_setting('search_path'), pg_catalog.current_setting('timezone'),
    pg_catalog.current_setting('datestyle'), pg_catalog.current_setting('intervalstyle'), pg_catalog.current_setting('bytea_output'),
    pg_catalog.current_setting('extra_float_digits'), pg_catalog.current_setting('standard_conforming_strings')];
begin
  perform observers.capture_restore(array['pg_catalog, pg_temp', 'UTC', 'ISO', 'postgres', 'hex', '1', 'on']);
  return former;
end $$`;

const RESTORE = `
create or replace function observers.capture_restore(pg_catalog.text[]) returns pg_catalog.void language plpgsql as $$
begin
  perform pg_catalog.set_config('search_path', $1[1], true), pg_catalog.set_config('timezone', $1[2], true),
    pg_catalog.set_config('datestyle', $1[3], true), pg_catalog.set_config('intervalstyle', $1[4], true),
    pg_catalog.set_config('bytea_output', $1[5], true), pg_catalog.set_config('extra_float_digits', $1[6], true),
    pg_catalog.set_config('standard_conforming_strings', $1[7], true);
end $$`;

/**
 * @param definition what the trigger has as its third argument: columns by number (n) and by the name that they had (name)
 * @param by_row the rows are the statement's parameters, as a row trigger has them, instead of new_rows and old_rows
 */
const STATEMENT = `
create or replace function observers.capture_statement(definition jsonb, relation oid, operation text, by_row boolean) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- In a database that was restored the numbers are others: there the names count, and masks hold by leaving all data out.
  numbered constant boolean := relation = (definition ->> 'relation')::oid;
  hides constant boolean := (definition ->> 'hides')::boolean;
  before constant boolean := (definition ->> 'before')::boolean;
  plan jsonb;
  key text;
  image text := 'row(null, ''the database was restored, or the table made anew: without capture apply nobody knows what to mask'')::observers.captured';
  tenant text;
  kept text := 'row(''true'', null)::observers.captured';
  changed text := 'null::text[]';
  side text;
  holds text := '((s.%1$s_kept).value = ''true'' or (s.%1$s_kept).failure is not null)';
  source text;
begin
  -- Each expression has the alias of its row as %1$s.
  with live as (
    select a.attnum as n, a.attname::text as name, a.attgenerated = 'v' as virtual, row_number() over (order by a.attnum) as i, a.atttypid, a.atttypmod
    from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
  ), computed as (
    select l.n, '(select ' || pg_get_expr(d.adbin, d.adrelid) || ' from (select ' || s.columns || ') "$c")' as expression, s.parts
    from live l join pg_attrdef d on d.adrelid = relation and d.adnum = l.n
    cross join lateral (
      select coalesce(string_agg(format('($1[%s])::%s as %I', u.k, format_type(u.atttypid, u.atttypmod), u.name), ', ' order by u.k), '') as columns,
             coalesce(string_agg(format('observers.captured_text(%%1$s.c%s)', u.i), ', ' order by u.k), '') as parts
      from (select r.*, row_number() over (order by r.n) as k from live r
            where not r.virtual and exists (select from pg_depend p where p.classid = 'pg_attrdef'::regclass and p.objid = d.oid
                                            and p.refclassid = 'pg_class'::regclass and p.refobjid = relation and p.refobjsubid = r.n)) u
    ) s where l.virtual
  ), referred as (
    select l.n, l.i, l.name, l.virtual,
      case when not l.virtual then format('observers.captured_text(%%1$s.c%s)', l.i)
        else format('observers.captured_expression(%L, array[%s]::observers.captured[])', replace('select (' || c.expression || ')::text', '%', '%%'), c.parts) end as as_text,
      case when not l.virtual then format('observers.captured_%s(%%1$s.c%s)', definition ->> 'document', l.i)
        else format('observers.captured_expression(%L, array[%s]::observers.captured[])', replace('select to_json(' || c.expression || ')::' || (definition ->> 'document') || '::text', '%', '%%'), c.parts) end as as_json,
      case when not l.virtual then format('observers.captured_hash(%%1$s.c%s)', l.i)
        else format('observers.captured_expression(%L, array[%s]::observers.captured[])',
          replace('select to_json(${HASH.replaceAll("'", "''").replace('value', () => "' || c.expression || '")})::text', '%', '%%'), c.parts) end as as_hash
    from live l left join computed c on c.n = l.n
  ), numbers as (
    select k.kind, coalesce(r.n, -1) as n, item.position, coalesce(r.as_text, 'row(null, ''a column is gone'')::observers.captured') as as_text,
           coalesce(r.as_json, 'row(null, ''a column is gone'')::observers.captured') as as_json
    from (values ('key'), ('hash'), ('drop'), ('exclude'), ('include'), ('when'), ('tenant')) k(kind)
    cross join lateral jsonb_array_elements(case jsonb_typeof(definition -> k.kind) when 'array' then definition -> k.kind else '[]' end) with ordinality item(entry, position)
    left join referred r on case when numbered then r.n = (item.entry ->> 'n')::int else r.name = item.entry ->> 'name' end
  ), visible as (
    select r.*, exists (select from numbers h where h.kind = 'hash' and h.n = r.n) as hashed,
           exists (select from numbers h where h.kind = 'drop' and h.n = r.n) as dropped
    from referred r
    where not exists (select from numbers h where h.kind = 'exclude' and h.n = r.n)
      and (jsonb_typeof(coalesce(definition -> 'include', 'null')) = 'null' or exists (select from numbers h where h.kind = 'include' and h.n = r.n))
  )
  select jsonb_build_object(
    'columns', (select coalesce(string_agg('c' || l.i, ', ' order by l.i) || ', ', '') from live l),
    'key', (select string_agg(case when (select count(*) from numbers where kind = 'key') = 1 then as_text else as_json end, ', ' order by position) from numbers where kind = 'key'),
    'tenant', (select as_text from numbers where kind = 'tenant'),
    'when', (select coalesce(string_agg(as_text, ', ' order by position), '') from numbers where kind = 'when'),
    'names', (select coalesce(string_agg(replace(quote_literal(v.name), '%', '%%'), ', ' order by v.i), '') from visible v where not v.dropped),
    'image', (select coalesce(string_agg(case when v.hashed then v.as_hash else v.as_json end, ', ' order by v.i), '') from visible v where not v.dropped),
    'changed', (select coalesce(string_agg(format('case when %s then %L end', case when v.virtual
        then '(' || format(v.as_text, 'o') || ') is distinct from (' || format(v.as_text, 'n') || ')'
        else format('record_image_ne(row(o.c%1$s), row(n.c%1$s))', v.i) end, v.name), ', ' order by v.i), '') from visible v)
  ) into plan;

  key := 'observers.captured_key(array[' || (plan ->> 'key') || ']::observers.captured[])';
  tenant := coalesce(plan ->> 'tenant', 'row(null, null)::observers.captured');
  if not hides or numbered then
    image := 'observers.captured_image(array[' || (plan ->> 'names') || ']::text[], array[' || (plan ->> 'image') || ']::observers.captured[])';
  end if;
  if definition ->> 'function' is not null then
    kept := replace(definition ->> 'function', '%', '%%') || '(array[' || (plan ->> 'when') || ']::observers.captured[])';
  end if;
  -- Where both images are whole, readers compare them.
  if (hides or not before) and numbered then changed := 'array_remove(array[' || (plan ->> 'changed') || ']::text[], null)'; end if;

  -- What decides which rows are recorded, then their images, then the rows of the log.
  side := format('%s as %%1$s_key, %s as %%1$s_kept, %s as %%1$s_tenant', key, kept, tenant);
  source := format(case operation when 'INSERT' then '%2$s' when 'DELETE' then '%1$s' else '%1$s join %2$s on n.i = o.i' end,
    case when by_row then '(select ($1).*, 1)' else '(select "$o".*, row_number() over () from old_rows "$o")' end || format(' o(%si)', plan ->> 'columns'),
    case when by_row then '(select ($2).*, 1)' else '(select "$n".*, row_number() over () from new_rows "$n")' end || format(' n(%si)', plan ->> 'columns'));
  return case operation
    when 'INSERT' then observers.capture_insert(definition, source, format(side, 'n'),
      format('case when %s then %s end as n_image', format(holds, 'n'), format(image, 'n')), array[row('INSERT', 'n', 'true')::observers.capture_branch])
    when 'DELETE' then observers.capture_insert(definition, source, format(side, 'o'),
      format('case when %s then %s end as o_image', format(holds, 'o'), format(image, 'o')), array[row('DELETE', 'o', 'true')::observers.capture_branch])
    else observers.capture_insert(definition, source, format(side, 'o') || ', ' || format(side, 'n'),
      format('%1$s as same, case when %2$s then %4$s end as n_image, case when %3$s and not (%1$s)%6$s then %5$s end as o_image, case when %1$s then %7$s end as changed',
        '(s.o_key).value is not distinct from (s.n_key).value', format(holds, 'n'), format(holds, 'o'), format(image, 'n'), format(image, 'o'),
        case when before then format(' or %s and (s.o_key).value is not distinct from (s.n_key).value', format(holds, 'n')) else '' end, changed),
      -- A changed key is a delete of the old and an insert of the new one, deletes first, so that a chain of them ends well.
      array[row('DELETE', 'o', 'not e.same'), row('UPDATE', 'n', 'e.same'), row('INSERT', 'n', 'not e.same')]::observers.capture_branch[])
    end;
end $$`;

/** The rows of one verb: whose key, condition and tenant count, and which pairs are meant. */
const BRANCH = `
do $$ begin
  create type observers.capture_branch as (verb pg_catalog.text, side pg_catalog.text, filter pg_catalog.text);
exception when duplicate_object then null;
end $$`;

const INSERT = `
create or replace function observers.capture_insert(definition jsonb, source text, sides text, images text, branches observers.capture_branch[]) returns text
language sql set search_path = pg_catalog, pg_temp as $$
  select format('with e as materialized (select s.*, %s from %s cross join lateral (select %s offset 0) s order by %s.i)
insert into core.tb_entity_change_log (object_type, modification_type, object_key, object_id, object_data, object_data_before, updated_fields,
                                       tenant_id, trace_context, extra_metadata) ', images, source, sides, branches[cardinality(branches)].side)
    || string_agg(format('select %1$L, %2$L, (e.%3$s_key).value, %4$s, %5$s, %6$s, %7$s, observers.captured_uuid((e.%3$s_tenant).value), (select observers.trace_context()),
  observers.captured_error(coalesce((e.%3$s_key).failure, ''when: '' || (e.%3$s_kept).failure, %8$s, ''tenant: '' || (e.%3$s_tenant).failure), %9$L)
  from e where %10$s and ((e.%3$s_kept).value = ''true'' or (e.%3$s_kept).failure is not null)',
      definition ->> 'entity', b.verb, b.side,
      case when (definition ->> 'uuid')::boolean then format('observers.captured_uuid((e.%s_key).value)', b.side) else 'null::uuid' end,
      case when b.verb = 'DELETE' then 'null::json' else '(e.n_image).value::json' end,
      case when b.verb = 'DELETE' or b.verb = 'UPDATE' and (definition ->> 'before')::boolean then '(e.o_image).value::json' else 'null::json' end,
      case when b.verb = 'UPDATE' then 'e.changed' else 'null::text[]' end,
      case when b.verb = 'DELETE' then '(e.o_image).failure' when b.verb = 'UPDATE' and (definition ->> 'before')::boolean
        then '(e.n_image).failure, (e.o_image).failure' else '(e.n_image).failure' end,
      definition ->> 'strict', b.filter), ' union all ' order by b.i)
  from unnest(branches) with ordinality b(verb, side, filter, i)
$$`;

export const LONG_WAY = [CAPTURED, ...VALUES, COMPUTED, KEY, IMAGE, UUID, ERROR, RESTORE, SETTLE, BRANCH, INSERT, STATEMENT];
