/** A table as the catalogue names it, nothing quoted. */
export interface QualifiedName {
  readonly schema: string;
  readonly table: string;
}

/** What a written name means: the table that is called exactly so, or else the one that PostgreSQL would read it as. */
export interface TableName extends QualifiedName {
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
