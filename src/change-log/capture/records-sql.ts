import { quoteLiteral } from '../../database/names';
import type { CaptureDefinition } from '../../event/definitions';
import type { TableInfo } from './catalog';
import { fromRow, valueRow, type RowName, type RowSql } from './row-sql';

export type RowOperation = 'insert' | 'update' | 'delete';
export const OPERATIONS: readonly RowOperation[] = ['insert', 'update', 'delete'];

/** What the functions of one table are made of. */
export interface FunctionParts {
  readonly capture: CaptureDefinition;
  readonly table: TableInfo;
  readonly row: RowSql;
  /** Eight hexadecimal digits: of the names of settings in which its triggers keep the order of nested statements. */
  readonly tag: string;
  /** The function that is the capture's `when`, and its arguments; null without one. */
  readonly when: { readonly name: string; readonly guarded: string; readonly columns: readonly string[] } | null;
  /** Type of the log's images. */
  readonly document: 'json' | 'jsonb';
  /** The sequence of the log's numbers, as a literal. */
  readonly sequence: string;
  readonly pins: readonly string[];
  /** Those of them that a function needs which does no more than insert. */
  readonly toInsert: readonly string[];
}

/** A value to be recorded: the log's column, the variable that holds it meanwhile, and its expression. */
export interface Field {
  readonly column: string;
  readonly variable: string;
  readonly type: string;
  readonly expression: string;
}

export interface Rows {
  readonly before: RowName | null;
  readonly after: RowName | null;
}

export function fieldsOf(parts: FunctionParts, operation: RowOperation, { before, after }: Rows, key?: string): Field[] {
  const { row, capture, document } = parts;
  const subject = (after ?? before)!;
  const field = (column: string, type: string, expression: string | null): Field[] =>
    expression === null ? [] : [{ column, type, expression, variable: `"$${column}"` }];
  return [
    ...field('object_key', 'text', key ?? row.keyOf(subject)),
    ...field('object_id', 'uuid', row.hasUuidKey ? row.uuidKeyOf(subject) : null),
    ...field('object_data', document, after === null ? null : row.imageOf(after)),
    ...field('object_data_before', document, before === null || (operation === 'update' && !capture.before) ? null : row.imageOf(before)),
    ...field('updated_fields', 'text[]', before === null || after === null ? null : row.changedBetween(before, after)),
    ...field('tenant_id', 'uuid', row.tenantOf(subject)),
  ];
}

export function insertInto(fields: readonly Field[]): string {
  return `insert into core.tb_entity_change_log (object_type, modification_type, ${fields.map(({ column }) => column).join(', ')}, trace_context)`;
}

export function head(parts: FunctionParts, operation: RowOperation): string {
  return `${quoteLiteral(parts.capture.entity)}, '${operation.toUpperCase()}'`;
}

/** SQL: whether a row is recorded at all; null: every row is. */
export function condition({ when, row: expressions }: FunctionParts, row: RowName): string | null {
  return when === null ? null : `${when.name}(${when.columns.map((name) => expressions.valueNamed(name, row)).join(', ')})`;
}

export function kept(parts: FunctionParts, row: RowName): string {
  const holds = condition(parts, row);
  return holds === null ? '' : ` where ${holds}`;
}

/** SQL: the key of a row that kept it. Another one, and none, leave the path of one row. */
export function keptKey({ row }: FunctionParts, before: RowName, after: RowName): string {
  return `case when ${row.keyStays(before, after)} then ${row.keyOf(after)} else observers.key_changed() end`;
}

/** Where the values of a statement come from that changed one row, as most do. It has no answer, or too many, otherwise. */
export function single(parts: FunctionParts, operation: RowOperation): { fields: Field[]; from: string } {
  const [before, after] = [fromRow('$o'), fromRow('$n')];
  switch (operation) {
    case 'insert':
      return { fields: fieldsOf(parts, operation, { before: null, after }), from: `from new_rows "$n"${kept(parts, after)}` };
    case 'delete':
      return { fields: fieldsOf(parts, operation, { before, after: null }), from: `from old_rows "$o"${kept(parts, before)}` };
    case 'update': {
      const key = keptKey(parts, before, after);
      return { fields: fieldsOf(parts, operation, { before, after }, key), from: `from new_rows "$n", old_rows "$o"${kept(parts, after)}` };
    }
  }
}

/** The statement that records any number of rows: one INSERT ... SELECT. */
export function many(parts: FunctionParts, operation: RowOperation): string {
  const select = (verb: RowOperation, rows: Rows, columns: readonly Field[], from: string): string => {
    const own = new Map(fieldsOf(parts, verb, rows).map(({ column, expression }) => [column, expression]));
    const values = columns.map(({ column, type }) => own.get(column) ?? `null::pg_catalog.${type}`);
    return `select ${head(parts, verb)}, ${values.join(', ')}, "$trace"\n  ${from}`;
  };
  const [before, after] = operation === 'update' ? [valueRow('"$p".old'), valueRow('"$p".new')] : [fromRow('$o'), fromRow('$n')];
  const rows: Rows = { before: operation === 'insert' ? null : before, after: operation === 'delete' ? null : after };
  const fields = fieldsOf(parts, operation, rows);
  if (operation === 'insert') return `${insertInto(fields)}\n${select('insert', rows, fields, `from new_rows "$n"${kept(parts, after)}`)};`;
  if (operation === 'delete')
    return `${insertInto(fields)}\n${select('delete', rows, fields, `from old_rows "$o"${kept(parts, before)}`)};`;
  const differs = parts.row.keyDiffers(before, after);
  // A changed key is a delete of the old and an insert of the new one, deletes first, so that a chain of them ends well.
  const all = [
    ...fields,
    ...fieldsOf(parts, 'delete', { before, after: null }).filter(({ column }) => !fields.some((field) => field.column === column)),
  ];
  const [removes, updates, inserts] = mayLoseRows(parts)
    ? [`(${differs} or not is_new) and is_old`, `not (${differs}) and is_old and is_new`, `(${differs} or not is_old) and is_new`]
    : [differs, `not (${differs})`, differs];
  const parted = [
    select('delete', { before, after: null }, all, `from "$pairs" "$p" where ${removes}`),
    select('update', { before, after }, all, `from "$pairs" "$p" where ${updates}`),
    select('insert', { before: null, after }, all, `from "$pairs" "$p" where ${inserts}`),
  ] as const;
  return `with "$pairs" as materialized (${mayLoseRows(parts) ? pairsOrKeys(parts) : pairs(parts)})
${insertInto(all)}
${parts.table.hasTriggers ? inOrder(parts, all, parted) : parted.join('\nunion all\n')};`;
}

/**
 * A foreign key may change a row that the statement has changed already: both are rows of the statement, so each stands where it was changed.
 * Only where two rows may have one key for a moment, deletes come first all the same.
 */
function inOrder(
  { table, capture }: FunctionParts,
  fields: readonly Field[],
  [remove, update, insert]: readonly [string, string, string],
): string {
  const place = '"$p".i operator(pg_catalog.*) 2';
  const isUnique = capture.key === null && !table.hasDeferrableKey;
  const placed = (select: string, at: string): string => select.replace(/^select /, () => `select ${at}, `);
  const columns = ['object_type', 'modification_type', ...fields.map(({ column }) => column), 'trace_context'];
  return `select ${columns.map((column) => `"$u".${column}`).join(', ')} from (
${placed(remove, isUnique ? place : '0::pg_catalog.int8')}
union all
${placed(update, place)}
union all
${placed(insert, `${place} operator(pg_catalog.+) 1`)}
) "$u" (place, ${columns.join(', ')}) order by "$u".place`;
}

// A whole row: its name would mean a column that is called so, and no column is called this.
const WHOLE = '"$a row, by fraiseql-observers"';

// Old and new rows pair by position: both transition tables are filled by the same call for each row, and no other pairing survives a
// changed key, or a key that is not unique.
function pairs(parts: FunctionParts): string {
  const numbered = (table: string): string => `(select ${WHOLE} as r, pg_catalog.row_number() over () as i from ${table} ${WHOLE})`;
  return `select o.r as old, n.r as new, n.i from ${numbered('old_rows')} o join ${numbered('new_rows')} n on n.i operator(pg_catalog.=) o.i${kept(parts, valueRow('n.r'))}`;
}

/** A row that moves to another partition is inserted there, and a BEFORE trigger of theirs may refuse it: then a row is gone that no new one pairs with. */
export function mayLoseRows({ table }: FunctionParts): boolean {
  return table.hasTriggers && table.relations.length > 1;
}

/** SQL: whether an UPDATE has lost rows on their way. */
export const LOST_ROWS = '(select pg_catalog.count(*) from old_rows) operator(pg_catalog.<>) (select pg_catalog.count(*) from new_rows)';

/** Where rows were lost, the others pair by their keys: one that got another key is a delete and an insert anyway. */
function pairsOrKeys(parts: FunctionParts): string {
  const keyed = (table: string): string => {
    const key = `(${parts.row.keyOf(valueRow(WHOLE))}) collate pg_catalog."C"`;
    return `(select ${WHOLE} as r, ${key} as k, pg_catalog.row_number() over () as i, pg_catalog.row_number() over (partition by ${key}) as nth from ${table} ${WHOLE})`;
  };
  const [was, is] = [condition(parts, valueRow('o.r')), condition(parts, valueRow('n.r'))];
  const holds = was === null || is === null ? '' : ` and case when n.i is null then ${was} else ${is} end`;
  const even = pairs(parts).replace('n.i from', 'n.i, true as is_old, true as is_new from');
  return `select * from (${even}) "$e" where not (${LOST_ROWS})
union all
select o.r, n.r, coalesce(n.i, o.i), o.i is not null, n.i is not null from ${keyed('old_rows')} o full join ${keyed('new_rows')} n
  on n.k operator(pg_catalog.=) o.k and n.nth operator(pg_catalog.=) o.nth where ${LOST_ROWS}${holds}`;
}
