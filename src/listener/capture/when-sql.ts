import { quoteIdentifier } from '../../database/names';
import type { TableInfo } from './catalog';

/** A capture's `when`, as a function of the columns that it names. */
export interface WhenFunction {
  /** Quoted, schema-qualified. */
  readonly name: string;
  readonly columns: readonly string[];
  readonly create: string;
  /** Statements that the database refuses when the condition is none; they change nothing that lasts. */
  readonly check: readonly string[];
}

/** PostgreSQL's FUNC_MAX_ARGS. */
const MOST_COLUMNS = 100;

/**
 * PostgreSQL parses the body once, when the function is made, as whoever applies the capture would: with that role's search_path and its
 * types. What a column is called later, or which path a writer has, changes nothing. It is inlined where it is called.
 */
export function whenFunction(functions: string, when: string, table: TableInfo): WhenFunction {
  const columns = columnsOf(when, table);
  const parameters = columns.map(({ name, sqlType }) => `${quoteIdentifier(name)} ${sqlType}`).join(', ');
  const name = `observers.${quoteIdentifier(`${functions}_when`)}`;
  // On lines of its own: it may end in a comment.
  const declared = (as: string): string => `function ${as}(${parameters}) returns pg_catalog.bool language sql`;
  return {
    name,
    columns: columns.map((column) => column.name),
    create: `create ${declared(name)} return case when\n${when}\nthen true else false end`,
    check: [
      // In WHERE neither aggregates nor sets may stand, and it must be boolean.
      `create or replace ${declared('pg_temp.observers_check_when')} begin atomic select true where (\n${when}\n); end`,
      `create or replace ${declared('pg_temp.observers_check_when')} return case when\n${when}\nthen true else false end`,
    ],
  };
}

/** More than a function can have parameters: what to do about it. */
export function tooManyColumns(when: string, table: TableInfo): string | null {
  const { length } = columnsOf(when, table);
  return length <= MOST_COLUMNS ? null : `its condition names ${length} columns: name ${MOST_COLUMNS} at the most under when:`;
}

function columnsOf(when: string, table: TableInfo): TableInfo['columns'] {
  return table.columns.filter(({ name }) => mentions(when, name));
}

/** Whether a name occurs; one in a text or a comment too, which makes one parameter too many and no harm. */
function mentions(when: string, name: string): boolean {
  const pattern = new RegExp(
    `(^|[^\\p{L}\\p{N}_$])${name.replace(/"/g, '""').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}($|[^\\p{L}\\p{N}_$])`,
    'iu',
  );
  return pattern.test(when);
}
