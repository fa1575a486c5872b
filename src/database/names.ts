import { ExitCode, OperatorError } from '../event/errors';

/**
 * The one way in which names are written, in SQL and wherever people read them: what PostgreSQL's `format('%I.%I')` prints. What is
 * printed so is read back by `parseName` as the same table.
 */
export function quoteName(schema: string, table: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}

export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** A text in SQL. With a backslash it is written so that `standard_conforming_strings` does not change what it means. */
export function quoteLiteral(text: string): string {
  const doubled = text.replaceAll("'", "''");
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

/**
 * The table that a person means. Look it up with `nspname = $1::name and relname = $2::name`, which cuts a long name as PostgreSQL does
 * everywhere else, and look for `folded` only when there is none.
 *
 * @throws OperatorError when the text is no name of a table
 */
export function parseName(text: string): TableName {
  const name = parseTableName(text);
  if (name !== null) return name;
  throw new OperatorError(
    `"${text}" is not the name of a table: ${TABLE_NAME_EXPECTED}`,
    'Write it as it is printed; a shell wants single quotes around a name that has double ones.',
    ExitCode.configuration,
  );
}

// What may not stand unquoted, on any of PostgreSQL 14 to 18: all of pg_get_keywords() but those of catcode U. One too many costs a pair
// of quotes, one too few a syntax error.
const KEYWORDS = new Set(
  `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char character
check coalesce collate collation column concurrently constraint create cross current_catalog current_date current_role current_schema
current_time current_timestamp current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch
float for foreign freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect interval
into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize
not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real references
returning right row select session_user setof similar smallint some substring symmetric system_user table tablesample then time
timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where window with xmlattributes
xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`.split(/\s+/),
);

/** A table as the catalogue names it, nothing quoted. */
export interface QualifiedName {
  readonly schema: string;
  readonly table: string;
}

/** What a written name means: the table that is called exactly so, or else the one that PostgreSQL would read it as. */
interface TableName extends QualifiedName {
  /** The unquoted parts in lower case; null when that is the same. Looked up only when there is no table of the exact name. */
  readonly folded: QualifiedName | null;
}

// A part in double quotes is exactly what is between them, "" being one quote. One without holds no blanks, dots and quotes.
const PART = String.raw`("(?:[^"\0]|"")+"|[^\s."\0]+)`;
export const TABLE_NAME = new RegExp(String.raw`^\s*${PART}\.${PART}\s*$`);
export const TABLE_NAME_EXPECTED = 'expected schema.table, such as public.orders or public."a name with blanks"';

/** Reads `schema.table`; null when it is no such name. */
export function parseTableName(text: string): TableName | null {
  const [, schema, table] = TABLE_NAME.exec(text) ?? [];
  if (schema === undefined || table === undefined) return null;
  const exact = { schema: unquoted(schema), table: unquoted(table) };
  const folded = { schema: fold(schema), table: fold(table) };
  return { ...exact, folded: folded.schema === exact.schema && folded.table === exact.table ? null : folded };
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}

// As PostgreSQL does in databases of more than one byte a character: nothing but A to Z.
function fold(part: string): string {
  return part.startsWith('"') ? unquoted(part) : part.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}
