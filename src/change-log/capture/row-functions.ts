import { quoteIdentifier } from '../../database/names';
import { condition, fieldsOf, type FunctionParts } from './records-sql';
import { valueRow } from './row-sql';
import { dollarQuoted, BODY } from './functions-sql';

/** Functions of one row of a captured table, for who reads rows that are there: they run as the owner of the capture, as its triggers do. */
export interface RowFunctions {
  /** Quoted, schema-qualified. Of a row, and whether to make all of it: what it is recorded as, or its key alone. */
  readonly image: string;
  /** Whether a row is recorded at all. Null: every row is. */
  readonly kept: string | null;
}

/** What `capture apply` of this table makes. @param beginning of the names of its functions */
export function rowFunctionsOf(beginning: string, parts: Pick<FunctionParts, 'when'>): RowFunctions {
  const named = (suffix: string): string => `observers.${quoteIdentifier(`${beginning}_${suffix}`)}`;
  return { image: named('backfill'), kept: parts.when === null ? null : named('backfill_kept') };
}

export function namesOf({ image, kept }: RowFunctions): string[] {
  return kept === null ? [image] : [image, kept];
}

const ROW = valueRow('$1');

/**
 * Of any row type: a function with the table's own would keep the table from being dropped. Nothing is written: who calls them does that with
 * what they return, in a transaction in which nothing of the table's owner has run.
 */
export function createRowFunctions(functions: RowFunctions, parts: FunctionParts): string[] {
  const fields = new Map(fieldsOf(parts, 'insert', { before: null, after: ROW }).map(({ column, expression }) => [column, expression]));
  const of = (column: string): string => fields.get(column) ?? 'null';
  const header = `language plpgsql security definer ${[...parts.pins, ''].join(' ')}as ${BODY}\n#variable_conflict use_column\n`;
  const image = `create or replace function ${functions.image}(anyelement, pg_catalog.bool,
  out "$key" pg_catalog.text, out "$id" pg_catalog.uuid, out "$data" pg_catalog.${parts.document}, out "$tenant" pg_catalog.uuid) ${header}begin
  if $2 then
    select ${['object_key', 'object_id', 'object_data', 'tenant_id'].map(of).join(',\n      ')} into "$key", "$id", "$data", "$tenant";
  else
    select ${of('object_key')} into "$key";
  end if;
end ${BODY}`;
  const kept = `create or replace function ${functions.kept}(anyelement) returns pg_catalog.bool ${header}begin
  return ${condition(parts, ROW)};
end ${BODY}`;
  return [image, ...(functions.kept === null ? [] : [kept])].map(dollarQuoted);
}
