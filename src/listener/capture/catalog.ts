import type { ClientBase } from 'pg';

export interface ColumnInfo {
  readonly name: string;
  /** Built-in type's name, or the type's text. */
  readonly type: string;
  /** Whether `=` means that the text is the same, so that the cheap comparison may be used. */
  readonly plainEquality: boolean;
}

/** A table as the catalogue has it. */
export interface TableInfo {
  readonly oid: number;
  /** Quoted and schema-qualified, ready for SQL. */
  readonly relation: string;
  /** Unquoted, as the observers file names it. */
  readonly name: string;
  readonly columns: readonly ColumnInfo[];
  readonly primaryKey: readonly string[];
  /** The table and all partitions below it, quoted: a parent's statement trigger misses direct writes to a partition. */
  readonly relations: readonly string[];
  readonly owner: string;
  readonly mayAlter: boolean;
}

// Values of these types are equal exactly when their text is. numeric is not among them (1.0 = 1.00), nor float (-0 = 0).
const PLAIN_EQUALITY = ['bool', 'int2', 'int4', 'int8', 'uuid', 'date', 'timestamp', 'timestamptz', 'text', 'varchar', 'oid'];

const TABLE = `
  select c.oid::int8::float8 as oid, c.oid::regclass::text as short, format('%I.%I', n.nspname, c.relname) as relation,
         n.nspname || '.' || c.relname as name, c.relkind as kind, pg_get_userbyid(c.relowner) as owner,
         pg_has_role(c.relowner, 'USAGE') as may_alter,
         array(select a.attname::text from pg_index i cross join unnest(i.indkey) with ordinality k(attnum, n)
               join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
               where i.indrelid = c.oid and i.indisprimary order by k.n) as primary_key,
         array(select format('%I.%I', pn.nspname, p.relname) from pg_partition_tree(c.oid) t
               join pg_class p on p.oid = t.relid join pg_namespace pn on pn.oid = p.relnamespace
               where t.relid <> c.oid order by 1) as partitions
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1)`;

const COLUMNS = `
  select a.attname::text as name, t.typname::text as type,
         t.typname = any ($2::text[]) and coalesce(l.collisdeterministic, true) as "plainEquality"
  from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_collation l on l.oid = a.attcollation
  where a.attrelid = $1::float8::int8::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`;

/** @returns null when there is no such table. */
export async function readTable(client: ClientBase, table: string): Promise<(TableInfo & { kind: string }) | null> {
  const { rows } = await client.query<{
    oid: number;
    relation: string;
    name: string;
    kind: string;
    owner: string;
    may_alter: boolean;
    primary_key: string[];
    partitions: string[];
  }>(TABLE, [table]);
  const found = rows[0];
  if (!found) return null;
  const { rows: columns } = await client.query<ColumnInfo>(COLUMNS, [found.oid, PLAIN_EQUALITY]);
  return {
    oid: found.oid,
    relation: found.relation,
    name: found.name,
    kind: found.kind,
    columns,
    primaryKey: found.primary_key,
    relations: [found.relation, ...found.partitions],
    owner: found.owner,
    mayAlter: found.may_alter,
  };
}

export interface InstalledTrigger {
  readonly relation: string;
  readonly trigger: string;
  /** `A` is ENABLE ALWAYS; anything else is a write that may go by unseen. */
  readonly enabled: string;
  readonly fingerprint: string;
}

const TRIGGERS = `
  select format('%I.%I', n.nspname, c.relname) as relation, t.tgname::text as trigger, t.tgenabled::text as enabled,
         split_part(encode(t.tgargs, 'escape'), '\\000', 1) as fingerprint
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  where not t.tgisinternal and t.tgname like 'observers\\_capture\\_%'`;

export async function readTriggers(client: ClientBase): Promise<InstalledTrigger[]> {
  const { rows } = await client.query<InstalledTrigger>(TRIGGERS);
  return rows;
}

export interface CaptureRecord {
  readonly relation: string;
  readonly options: unknown;
  readonly fingerprint: string;
  readonly columns: readonly string[];
}

export async function readRecords(client: ClientBase): Promise<CaptureRecord[]> {
  const { rows } = await client.query<CaptureRecord>(
    'select relation, options, fingerprint, columns from observers.captured_table order by relation',
  );
  return rows;
}
