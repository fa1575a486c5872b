import { quoteIdentifier } from '../../database/names';
import type { TableInfo } from './catalog';
import { CAPTURE_ROLE } from './owner';

/** A capture's `when`, as a function of the columns that it names. */
export interface WhenFunction {
  /** Quoted, schema-qualified. */
  readonly name: string;
  /**
   * For the long way: of an array of observers.captured. The columns are texts, for they may have other types by now, and an error is an
   * answer: 'true', anything else, or why there is none.
   */
  readonly guarded: string;
  readonly columns: readonly string[];
  /** All of them, quoted and schema-qualified. */
  readonly functions: readonly string[];
  readonly create: readonly string[];
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
  const [ofTexts, guarded] = ['when_text', 'when_row'].map((what) => `observers.${quoteIdentifier(`${functions}_${what}`)}`) as [
    string,
    string,
  ];
  const cast = columns.map(({ sqlType }, index) => `($${index + 1})::${sqlType}`).join(', ');
  // A parameter has the collation of its type: where a column has another, the condition is asked of a row that has it too.
  const collated = columns.flatMap((column) =>
    column.collation === null ? [] : [`${quoteIdentifier(column.name)} collate ${column.collation} as ${quoteIdentifier(column.name)}`],
  );
  const ofTheRow = collated.length === 0 ? null : `(select ${collated.join(', ')}) "$collated"`;
  // On lines of its own: it may end in a comment.
  const decided = `case when\n${when}\nthen true else false end`;
  const returned = ofTheRow === null ? decided : `(select ${decided} from ${ofTheRow})`;
  const declared = (as: string): string => `function ${as}(${parameters}) returns pg_catalog.bool language sql`;
  return {
    name,
    guarded,
    columns: columns.map((column) => column.name),
    functions: [name, ofTexts, guarded],
    create: [
      `create ${declared(name)} return ${returned}`,
      `create function ${ofTexts}(${columns.map(() => 'pg_catalog.text').join(', ')}) returns pg_catalog.bool language sql return ${name}(${cast})`,
      `create function ${guarded}(observers.captured[]) returns observers.captured language plpgsql as $when$
begin
  for i in 1 .. pg_catalog.cardinality($1) loop
    if $1[i].failure is not null then return row(null, $1[i].failure)::observers.captured; end if;
  end loop;
  return row(${ofTexts}(${columns.map((_, index) => `$1[${index + 1}].value`).join(', ')})::pg_catalog.text, null)::observers.captured;
exception
  when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
  when others or assert_failure then return row(null, pg_catalog.concat_ws(' ', sqlstate, sqlerrm))::observers.captured;
end $when$`,
    ],
    check: [
      // In WHERE neither aggregates nor sets may stand, and it must be boolean.
      `create or replace ${declared('pg_temp.observers_check_when')} begin atomic select true${ofTheRow === null ? '' : ` from ${ofTheRow}`} where (\n${when}\n); end`,
      `create or replace ${declared('pg_temp.observers_check_when')} return ${returned}`,
      calledAsTheRole(columns.length),
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

/**
 * A call as the role that calls it for each change, where the connected role may become that one: what it may not read is found now. With
 * nulls nothing else can be found, so every other error is left.
 */
function calledAsTheRole(parameters: number): string {
  return `do $check$ declare
  may pg_catalog.text := case when pg_catalog.current_setting('server_version_num')::pg_catalog.int4 operator(pg_catalog.>=) 160000 then 'SET' else 'MEMBER' end;
begin
  if (select r.rolsuper from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) current_user)
     and not exists (select from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) '${CAPTURE_ROLE}') then
    create role ${CAPTURE_ROLE} nologin;
  end if;
  if exists (select from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) '${CAPTURE_ROLE}' and pg_catalog.pg_has_role(r.oid, may)) then
    grant execute on function pg_temp.observers_check_when to ${CAPTURE_ROLE};
    set local role ${CAPTURE_ROLE};
    perform pg_temp.observers_check_when(${Array<string>(parameters).fill('null').join(', ')});
    reset role;
  end if;
exception
  when insufficient_privilege then
    raise exception '% (it is called as the role ${CAPTURE_ROLE}, which may read nothing but the row: grant it that, or ask a function that is security definer)', sqlerrm;
  when others or assert_failure then null;
end $check$`;
}

/** Whether a name occurs; one in a text or a comment too, which makes one parameter too many and no harm. */
function mentions(when: string, name: string): boolean {
  const pattern = new RegExp(
    `(^|[^\\p{L}\\p{N}_$])${name.replace(/"/g, '""').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}($|[^\\p{L}\\p{N}_$])`,
    'iu',
  );
  return pattern.test(when);
}
