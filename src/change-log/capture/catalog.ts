import type { ClientBase } from 'pg';
import { parseName, quoteName } from '../../database/names';

export interface ColumnInfo {
  /** pg_attribute.attnum: what a column keeps when it is renamed. */
  readonly number: number;
  readonly name: string;
  /** Built-in type's name; of a type of theirs, which may be called the same, with its schema. */
  readonly type: string;
  /** Name of the type, qualified: for the declaration of a function's parameter. */
  readonly sqlType: string;
  /**
   * The built-in type whose text stands in the image: of a domain what is below it, of an array its element. `enum`, `row`, and `other` for
   * types of theirs.
   */
  readonly writtenAs: string;
  /** Quoted, qualified; null where the column has the one of its type. */
  readonly collation: string | null;
  /** Expression of a stored generated column, every name qualified: BEFORE triggers see null. */
  readonly stored: string | null;
  /** Expression of a virtual generated column, every name qualified: the column is null in the rows that triggers see. */
  readonly virtual: string | null;
  /** A function or type has this name too: where the column is gone, PostgreSQL takes `row.name` for a call of it. */
  readonly isFunction: boolean;
}

/** The table, or one of the partitions below it. */
export interface RelationInfo {
  readonly oid: number;
  /** Quoted and schema-qualified, ready for SQL and for people. */
  readonly name: string;
  readonly isRoot: boolean;
  /** As in pg_class.relkind. */
  readonly kind: string;
  /** By name: the numbers of the columns, which differ between partitions. */
  readonly numbers: Readonly<Record<string, number>>;
  /** The names of the columns in the order of their numbers, as PostgreSQL writes an array. */
  readonly shape: string;
}

/** A table as the catalogue has it. */
export interface TableInfo {
  readonly oid: number;
  /** Quoted and schema-qualified, ready for SQL and for people. */
  readonly name: string;
  readonly kind: string;
  readonly columns: readonly ColumnInfo[];
  readonly primaryKey: readonly string[];
  /** Two rows may have one key until the statement, or the transaction, ends. */
  readonly hasDeferrableKey: boolean;
  /** The table and all partitions below it: a parent's statement trigger misses direct writes to a partition. */
  readonly relations: readonly RelationInfo[];
  /** Triggers of others may write within a statement, or a foreign key acts: then marks and notes keep the order. */
  readonly hasTriggers: boolean;
  /** Filled by a logical subscription, whose worker fires no statement triggers. */
  readonly isSubscribed: boolean;
  /** Other tables inherit from it, or it does from others; partitions do not count. */
  readonly isInherited: boolean;
  readonly owner: string;
  readonly mayAlter: boolean;
}

// One query for all tables: the leader asks each minute. Of tgtype 28 is insert, delete and update.
// A foreign key that acts writes as part of the statement that it acts for, and puts off the triggers of its other parts: on either side.
const TABLES = `
  with wanted as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality as w(schema, name, folded_schema, folded_name, i)
  ), found as (
    select w.i, coalesce(
      (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = w.schema::name and c.relname = w.name::name),
      (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = w.folded_schema::name and c.relname = w.folded_name::name)
    ) as oid from wanted w
  ), relation as (
    select f.i, f.oid as root, r.oid, r.oid = f.oid as is_root from found f
    cross join lateral (select f.oid union select t.relid from pg_partition_tree(f.oid) t) r(oid) where f.oid is not null
  ), disturbed as (
    select r.i from relation r join pg_trigger t on t.tgrelid = r.oid and t.tgenabled <> 'D' and (t.tgtype & 28) <> 0
    join pg_proc p on p.oid = t.tgfoid
    where p.pronamespace is distinct from to_regnamespace('observers') and not (t.tgisinternal and p.prolang = (select oid from pg_language where lanname = 'internal'))
    union all
    select r.i from relation r join pg_constraint a on r.oid in (a.conrelid, a.confrelid)
    where a.contype = 'f' and (a.confdeltype in ('c', 'n', 'd') or a.confupdtype in ('c', 'n', 'd'))
  )
  select f.i::int, c.oid::int8::float8 as oid, format('%I.%I', n.nspname, c.relname) as name, c.relkind::text as kind,
    pg_get_userbyid(c.relowner)::text as owner, pg_has_role(c.relowner, 'USAGE') as "mayAlter",
    array(select a.attname::text from pg_index i cross join unnest(i.indkey) with ordinality k(attnum, n)
          join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
          where i.indrelid = c.oid and i.indisprimary order by k.n) as "primaryKey",
    exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and not i.indimmediate) as "hasDeferrableKey",
    (select coalesce(json_agg(json_build_object('number', a.attnum, 'name', a.attname,
        'type', case when t.typnamespace = 'pg_catalog'::regnamespace then t.typname else format('%I.%I', tn.nspname, t.typname) end,
        'sqlType', format('%I.%I', tn.nspname, t.typname),
        'writtenAs', case when w.typtype = 'e' then 'enum' when w.typtype = 'c' then 'row' when w.typnamespace = 'pg_catalog'::regnamespace then w.typname else 'other' end,
        'collation', case when a.attcollation <> t.typcollation then (select format('%I.%I', cn.nspname, k.collname) from pg_collation k join pg_namespace cn on cn.oid = k.collnamespace where k.oid = a.attcollation) end,
        'stored', case when a.attgenerated = 's' then pg_get_expr(d.adbin, d.adrelid) end,
        'isFunction', exists (select from pg_proc p where p.proname = a.attname) or exists (select from pg_type y where y.typname = a.attname),
        'virtual', case when a.attgenerated = 'v' then pg_get_expr(d.adbin, d.adrelid) end) order by a.attnum), '[]')
     from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace tn on tn.oid = t.typnamespace
     cross join lateral (
       with recursive below as (
         select t.oid, t.typtype, t.typnamespace, t.typname, t.typbasetype, t.typlen, t.typelem
         union all
         select y.oid, y.typtype, y.typnamespace, y.typname, y.typbasetype, y.typlen, y.typelem from below x
         join pg_type y on y.oid = case when x.typtype = 'd' then x.typbasetype when x.typtype = 'b' and x.typlen = -1 then x.typelem end
       )
       select x.* from below x where not (x.typtype = 'd' or x.typtype = 'b' and x.typlen = -1 and x.typelem <> 0)
     ) w
     left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select json_agg(json_build_object('oid', r.oid::int8, 'name', format('%I.%I', rn.nspname, rc.relname), 'isRoot', r.is_root, 'kind', rc.relkind,
        'numbers', (select coalesce(json_object_agg(a.attname, a.attnum), '{}') from pg_attribute a
                    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped),
        'shape', (select coalesce(array_agg(a.attname order by a.attnum)::text, '') from pg_attribute a
                  where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped)) order by not r.is_root, rn.nspname, rc.relname)
     from relation r join pg_class rc on rc.oid = r.oid join pg_namespace rn on rn.oid = rc.relnamespace where r.i = f.i) as relations,
    exists (select from disturbed d where d.i = f.i) as "hasTriggers",
    exists (select from relation r join pg_subscription_rel s on s.srrelid = r.oid where r.i = f.i) as "isSubscribed",
    exists (select from pg_inherits i join pg_class ic on ic.oid = i.inhrelid where c.oid in (i.inhrelid, i.inhparent) and not ic.relispartition) as "isInherited"
  from found f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace order by f.i`;

/** In the order of the names; null where there is no such table. @throws OperatorError for what is no name of a table */
export async function readTables(client: ClientBase, names: readonly string[]): Promise<(TableInfo | null)[]> {
  const parsed = names.map(parseName);
  const { rows } = await client.query<TableInfo & { i: number }>(TABLES, [
    parsed.map(({ schema }) => schema),
    parsed.map(({ table }) => table),
    parsed.map(({ folded }) => folded?.schema ?? null),
    parsed.map(({ folded }) => folded?.table ?? null),
  ]);
  const found = new Map(rows.map((row) => [row.i, row]));
  return names.map((_, index) => found.get(index + 1) ?? null);
}

export interface InstalledTrigger {
  /** Quoted. */
  readonly relation: string;
  readonly relationOid: number;
  readonly trigger: string;
  /** pg_trigger.tgenabled: A is ALWAYS, O origin, R replica, D disabled. */
  readonly enabled: string;
  readonly fingerprint: string;
  /** Quoted, schema-qualified. */
  readonly function: string;
  readonly owner: string;
  /** The owner's rights are everybody's who owns a captured table. */
  readonly ownerIsSuperuser: boolean;
}

// Clones of a row trigger on partitions belong to their parent's.
const TRIGGERS = `
  select format('%I.%I', n.nspname, c.relname) as relation, c.oid::int8::float8 as "relationOid", t.tgname::text as trigger,
         t.tgenabled::text as enabled, split_part(encode(t.tgargs, 'escape'), '\\000', 1) as fingerprint,
         format('observers.%I', p.proname) as function, r.rolname::text as owner, r.rolsuper and p.prosecdef as "ownerIsSuperuser"
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid and p.pronamespace = to_regnamespace('observers') join pg_roles r on r.oid = p.proowner
  where not t.tgisinternal and t.tgparentid = 0 and t.tgname like '%observers\\_capture\\_%'`;

export async function readTriggers(client: ClientBase): Promise<InstalledTrigger[]> {
  const { rows } = await client.query<InstalledTrigger>(TRIGGERS);
  return rows;
}

/** A function of one row, which backfills call. */
export interface InstalledFunction {
  /** Quoted, schema-qualified. */
  readonly name: string;
  readonly owner: string;
  readonly ownerIsSuperuser: boolean;
}

const ROW_FUNCTIONS = `
  select format('observers.%I', p.proname) as name, r.rolname::text as owner, r.rolsuper as "ownerIsSuperuser"
  from pg_proc p join pg_roles r on r.oid = p.proowner
  where p.pronamespace = to_regnamespace('observers') and p.proname ~ '^capture_.*_backfill(_kept)?$'`;

export async function readRowFunctions(client: ClientBase): Promise<InstalledFunction[]> {
  const { rows } = await client.query<InstalledFunction>(ROW_FUNCTIONS);
  return rows;
}

/** What was applied. */
export interface CaptureRecord {
  /** The table's name when it was applied, quoted. */
  readonly relation: string;
  readonly relationOid: number | null;
  /** How the table that was captured is called today; null when it is gone. */
  readonly nowCalled: string | null;
  /** What the names of its functions begin with. */
  readonly functions: string | null;
  readonly options: unknown;
  readonly fingerprint: string;
  readonly columns: readonly string[];
}

const RECORDS = `
  select r.relation, r.relid::int8::float8 as "relationOid",
    case when n.oid is not null then format('%I.%I', n.nspname, c.relname) end as "nowCalled", r.functions, r.options, r.fingerprint, r.columns
  from observers.captured_table r left join pg_class c on c.oid = r.relid left join pg_namespace n on n.oid = c.relnamespace order by r.relation`;

export async function readRecords(client: ClientBase): Promise<CaptureRecord[]> {
  const { rows } = await client.query<CaptureRecord>(RECORDS);
  return rows;
}

/** As the records have it. */
export function printedName(text: string): string {
  const { schema, table } = parseName(text);
  return quoteName(schema, table);
}
