import { quoteLiteral } from '../../database/names';
import {
  fieldsOf,
  head,
  insertInto,
  kept,
  keptKey,
  LOST_ROWS,
  many,
  mayLoseRows,
  OPERATIONS,
  single,
  type FunctionParts,
  type RowOperation,
  type Rows,
} from './records-sql';
import { RowSql, triggerRow } from './row-sql';

/** Stands for the dollar quotes until it is known what they must not be. */
export const BODY = '$\0$';

export function dollarQuoted(definition: string): string {
  let quote = '$capture$';
  for (let i = 1; definition.includes(quote); i++) quote = `$capture${i}$`;
  return definition.replaceAll(BODY, () => quote);
}

// A table of the users may have any names: no plpgsql variable has one that means a column where a column may stand.
const HEADER = (pins: readonly string[]): string =>
  `returns pg_catalog.trigger language plpgsql security definer ${[...pins, ''].join(' ')}as ${BODY}\n#variable_conflict use_column\n`;

/**
 * Where the session asks for something, which few do: the application writes its own change rows, or a bulk load asked not to be recorded; or what
 * it does is part of a trace. One expression tells that nothing was ever set, for each expression costs a writer 0.3 us and more.
 */
const asked = (
  last: string,
): string => `  if coalesce(${SETTINGS.map((name) => `pg_catalog.current_setting('${name}', true)`).join(', ')}) is not null then
    if pg_catalog.current_setting('fraiseql.cdc_mediated', true) operator(pg_catalog.=) 'on'
      or pg_catalog.current_setting('observers.mute', true) operator(pg_catalog.=) 'on' then
${last}      return null;
    end if;
    "$trace" := ${TRACE};
  end if;`;

// A setting that a session once had is empty later on, and trace_context() is dear to call.
const TRACE = `case when pg_catalog.current_setting('observers.traceparent', true) operator(pg_catalog.<>) ''
      or pg_catalog.current_setting('observers.cause', true) operator(pg_catalog.<>) '' then observers.trace_context() end`;

const SETTINGS = ['fraiseql.cdc_mediated', 'observers.mute', 'observers.traceparent', 'observers.cause'];

// Cancellation and deadlock are the user's own and go through.
const THEIR_OWN = `when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;`;
// OTHERS leaves out the ASSERT of a function of theirs.
const WHATEVER = 'when others or assert_failure then';

/**
 * SQL: whether the SELECT of this function itself found no row. A condition or a cast of theirs may raise the same error, and then it is no
 * longer the function of the innermost line of the context.
 */
const foundNone = (name: string): string =>
  `pg_catalog.strpos(pg_catalog.split_part("$context", pg_catalog.chr(10), 1), ${quoteLiteral(`${name.slice('observers.'.length)}() `)}) operator(pg_catalog.>) 0`;
const READ_CONTEXT = 'get stacked diagnostics "$context" = pg_exception_context;';

/**
 * Each row with what can be had of it: a column was renamed, a row cannot be made JSON, the condition has no answer. The last resort is the
 * bare fact: only when even that cannot be written does the user's write fail.
 */
function longWay({ capture }: Pick<FunctionParts, 'capture'>, rows: 'old_rows' | 'new_rows' | null): string {
  const statement = `execute observers.capture_statement(tg_argv[2]::pg_catalog.jsonb, tg_relid, tg_op, ${rows === null}) using old, new;`;
  const fact = `insert into core.tb_entity_change_log (object_type, modification_type, extra_metadata)
    select ${quoteLiteral(capture.entity)}, tg_op, pg_catalog.jsonb_build_object('capture_error', pg_catalog."left"(sqlerrm, 1000))${rows === null ? '' : ` from (select from ${rows}) "$n"`};`;
  const attempt = capture.strict
    ? statement
    : `begin
  ${statement}
exception
  ${THEIR_OWN}
  ${WHATEVER}
    ${fact}
end;`;
  return `"$settings" := observers.capture_settle();
${attempt}
perform observers.capture_restore("$settings");`;
}

function checks({ table }: Pick<FunctionParts, 'table'>, last = ''): string {
  // A partition that was detached, by itself or with what it hangs on, is no longer of this entity, though it may hang on another captured
  // table by now. The trigger of the table has the same fingerprint, and `table` behind it.
  const detached = `  if tg_argv[1] operator(pg_catalog.=) 'partition' and not exists (
    select from pg_catalog.pg_partition_ancestors(tg_relid) a join pg_catalog.pg_trigger g on g.tgrelid operator(pg_catalog.=) a.relid::pg_catalog.oid
    where g.tgname operator(pg_catalog.=) tg_name and pg_catalog.substr(g.tgargs, 1, 22) operator(pg_catalog.=) pg_catalog.byteacat(pg_catalog.convert_to(tg_argv[0], 'UTF8'), pg_catalog.decode('007461626c65', 'hex'))) then
${last}    return null;
  end if;`;
  const partitioned = table.relations.length > 1 ? [detached] : [];
  return [asked(last), ...partitioned].join('\n');
}

// Names are those of `capture apply`. A mask must hold by the column whatever was renamed, and a new column is not to be forgotten.
const RESHAPED = `(select pg_catalog.array_agg(a.attname order by a.attnum)::pg_catalog.text from pg_catalog.pg_attribute a
    where a.attrelid operator(pg_catalog.=) tg_relid and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped) operator(pg_catalog.<>) tg_argv[3]`;

/** The body of a statement trigger: the short path of one row, one statement for many, and row by row where these fail. */
export function statementFunction(name: string, parts: FunctionParts, operation: RowOperation): string {
  const { fields, from } = single(parts, operation);
  const { capture, row, when, table } = parts;
  const chain = table.hasTriggers ? chained(parts, operation) : { variables: '', last: '' };
  const insertMany = many(parts, operation);
  const guarded = row.listsColumns || when !== null;
  const variables = fields.map(({ variable, type }) => `  ${variable} pg_catalog.${type};`);
  const values = `${insertInto(fields)}
  values (${head(parts, operation)}, ${fields.map(({ variable }) => variable).join(', ')}, "$trace");`;
  const attempt = `    select ${fields.map(({ expression }) => expression).join(',\n      ')}
      into strict ${fields.map(({ variable }) => variable).join(', ')} ${from};`;
  const rowByRow = longWay(parts, operation === 'delete' ? 'old_rows' : 'new_rows');
  const manyRows = capture.strict
    ? insertMany
    : `begin
${indent(insertMany)}
exception
  ${THEIR_OWN}
  ${WHATEVER}
${indent(indent(rowByRow))}
end;`;
  const lost =
    operation === 'update' && mayLoseRows(parts) ? `\n      elsif ${LOST_ROWS} then\n${indent(indent(indent(indent(manyRows))))}` : '';
  return dollarQuoted(`create or replace function ${name}() ${HEADER(parts.pins)}declare
${variables.join('\n')}
  "$settings" pg_catalog.text[];
  "$context" pg_catalog.text;
  "$trace" pg_catalog.jsonb;${chain.variables}
begin
${checks(parts, chain.last)}
${guarded ? `  if ${RESHAPED} then\n${indent(indent(rowByRow))}\n${chain.last}    return null;\n  end if;\n` : ''}  begin
${attempt}
  exception
    when no_data_found then
      ${READ_CONTEXT}
      if not (${foundNone(name)}) then
${indent(indent(indent(indent(rowByRow))))}${lost}
      end if;
${chain.last}      return null;
    ${THEIR_OWN}
    when too_many_rows then
${indent(indent(indent(manyRows)))}
${chain.last}      return null;${
    capture.strict
      ? ''
      : `
    ${WHATEVER}
${indent(indent(indent(rowByRow)))}
${chain.last}      return null;`
  }
  end;
  ${values}
${chain.last}  return null;
end ${BODY}`);
}

/** Variables and last statement for tables with triggers of others (see observers.capture_mark). Whatever becomes of its rows, the statement is over. */
function chained({ tag, sequence }: FunctionParts, operation: RowOperation): { variables: string; last: string } {
  return {
    variables: `
  "$mark" pg_catalog.int8 := observers.capture_close('${tag}${operation.toUpperCase()}');
  "$first" pg_catalog.int8 := pg_catalog.nextval(${sequence});`,
    last: `  perform observers.capture_chain("$mark", "$first");\n`,
  };
}

/**
 * The function of a table that a logical subscription fills: its worker fires row triggers only, in the role \`replica\`. And of one that inherits, or
 * is inherited from.
 */
export function rowFunction(name: string, parts: FunctionParts): string {
  const byRow = indent(indent(indent(indent(longWay(parts, null)))));
  const branch = (operation: RowOperation): string => {
    const rows: Rows = {
      before: operation === 'insert' ? null : triggerRow('old'),
      after: operation === 'delete' ? null : triggerRow('new'),
    };
    const subject = (rows.after ?? rows.before)!;
    const key = operation === 'update' ? keptKey(parts, rows.before!, rows.after!) : undefined;
    const fields = fieldsOf(parts, operation, rows, key);
    const values = fields.map(({ variable }) => variable).join(', ');
    return `tg_op operator(pg_catalog.=) '${operation.toUpperCase()}' then
    begin
      select ${fields.map(({ expression }) => expression).join(', ')} into strict ${values}${kept(parts, subject)};
    exception
      when no_data_found then
        ${READ_CONTEXT}
        if not (${foundNone(name)}) then
${byRow}
        end if;
        return null;
      ${THEIR_OWN}
      ${WHATEVER}
${byRow}
        return null;
    end;
    ${insertInto(fields)}
    values (${head(parts, operation)}, ${values}, "$trace");`;
  };
  const rows: Rows = { before: triggerRow('old'), after: triggerRow('new') };
  const variables = new Map(
    OPERATIONS.flatMap((operation) => fieldsOf(parts, operation, rows)).map(({ variable, type }) => [variable, type]),
  );
  const guard = parts.row.listsColumns || parts.when !== null ? `  if ${RESHAPED} then
${indent(indent(longWay(parts, null)))}
    return null;
  end if;\n` : ''; // prettier-ignore
  return dollarQuoted(`create or replace function ${name}() ${HEADER(parts.pins)}declare
  "$settings" pg_catalog.text[];
  "$context" pg_catalog.text;
  "$trace" pg_catalog.jsonb;
${[...variables].map(([variable, type]) => `  ${variable} pg_catalog.${type};`).join('\n')}
begin
${checks(parts)}
${guard}  if ${OPERATIONS.map(branch).join('\n  elsif ')}
  end if;
  return null;
end ${BODY}`);
}

/** TRUNCATE of a partitioned table fires on each partition too: it is one change. See observers.capture_truncate_mark. */
export function truncateFunction(name: string, { capture, table, tag, toInsert }: FunctionParts): string {
  const insert = `  insert into core.tb_entity_change_log (object_type, modification_type, trace_context, extra_metadata)
  values (${quoteLiteral(capture.entity)}, 'CUSTOM', "$trace", pg_catalog.jsonb_build_object('truncate', true, 'table',
    pg_catalog.format('%I.%I', tg_table_schema, tg_table_name)));`;
  // Asked before all else, whether or not it is to be recorded: each table of the command crosses itself off.
  const once = `  if observers.capture_truncated('${tag}', tg_relid) then return null; end if;\n`;
  return dollarQuoted(`create or replace function ${name}() ${HEADER(toInsert)}declare
  "$trace" pg_catalog.jsonb;
begin
${table.relations.length > 1 ? once : ''}${checks({ table })}
${insert}
  return null;
end ${BODY}`);
}

/** For tables with triggers of others: notes when a row is changed, where its statement is not the one that changed rows last. */
export function beforeRowFunction(name: string, { capture, table, tag }: FunctionParts): string {
  // What is computed when a row is stored is computed here: these triggers run before.
  const columns = table.columns.map((column) => ({ ...column, virtual: column.virtual ?? column.stored }));
  const row = new RowSql(capture, { ...table, columns });
  // Rows without a key are no entity, but what comes after them does so all the same.
  const note = (key: string): string => `perform observers.capture_note('${tag}' operator(pg_catalog.||) tg_op, coalesce(${key}, ''));`;
  const [old, changed] = [triggerRow('old'), triggerRow('new')];
  const [was, is] = [row.keyOf(old), row.keyOf(changed)];
  return dollarQuoted(`create or replace function ${name}() ${HEADER([])}begin
  if coalesce(pg_catalog.current_setting('observers.active', true), '') operator(pg_catalog.<>) ('${tag}' operator(pg_catalog.||) tg_op) then
    begin
      if tg_op operator(pg_catalog.<>) 'INSERT' then
        ${note(was)}
      end if;
      if tg_op operator(pg_catalog.=) 'INSERT' then
        ${note(is)}
      elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        if ${row.keyDiffers(old, changed)} then
          ${note(is)}
        end if;
      end if;
    exception
      ${THEIR_OWN}
      -- A column of the key was renamed: its changes may come in another order until capture apply, and no write fails.
      ${WHATEVER} null;
    end;
  end if;
  if tg_op operator(pg_catalog.=) 'DELETE' then return old; end if;
  return new;
end ${BODY}`);
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
