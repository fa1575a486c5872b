import { createHash } from 'node:crypto';
import type { CaptureDefinition } from '../../event/definitions';
import type { ColumnInfo, TableInfo } from './catalog';

export interface CaptureSql {
  /** Of the function's text: what `capture check` compares with the triggers' argument. */
  readonly fingerprint: string;
  /** `create or replace function …`. */
  readonly createFunction: string;
  /** Name of the function, schema-qualified. */
  readonly functionName: string;
  /** Per relation (the table and its partitions): drop, create, enable always. */
  readonly createTriggers: readonly string[];
}

export const TRIGGERS = {
  observers_capture_insert: 'after insert on %s referencing new table as new_rows',
  observers_capture_update: 'after update on %s referencing old table as old_rows new table as new_rows',
  observers_capture_delete: 'after delete on %s referencing old table as old_rows',
  observers_capture_truncate: 'after truncate on %s',
} as const;

/** The function and the triggers that record the changes of one table. Statement-level: one INSERT … SELECT for any number of rows. */
export function captureSql(capture: CaptureDefinition, table: TableInfo): CaptureSql {
  const functionName = functionNameFor(table.name);
  const createFunction = captureFunction(functionName, capture, table);
  const fingerprint = createHash('sha256').update(createFunction).digest('hex').slice(0, 16);
  const createTriggers = table.relations.flatMap((relation) =>
    Object.entries(TRIGGERS).flatMap(([name, clause]) => [
      `drop trigger if exists ${name} on ${relation}`,
      `create trigger ${name} ${clause.replace('%s', relation)} for each statement execute function ${functionName}('${fingerprint}')`,
      // ALWAYS: session_replication_role = replica would bypass it otherwise.
      `alter table ${relation} enable always trigger ${name}`,
    ]),
  );
  return { fingerprint, createFunction, functionName, createTriggers };
}

export function functionNameFor(table: string): string {
  const readable = table
    .replace(/[^a-z0-9]+/gi, '_')
    .toLowerCase()
    .slice(0, 40);
  return `observers.capture_${readable}_${createHash('sha256').update(table).digest('hex').slice(0, 8)}`;
}

export function dropSql(relations: readonly string[], table: string): string[] {
  const triggers = relations.flatMap((relation) => Object.keys(TRIGGERS).map((name) => `drop trigger if exists ${name} on ${relation}`));
  return [...triggers, `drop function if exists ${functionNameFor(table)}()`];
}

// The payload must not depend on the writer's session; without DEFINER every writer would need grants on the log.
const HEADER = `returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set bytea_output = 'hex' set extra_float_digits = 1`;

function captureFunction(name: string, capture: CaptureDefinition, table: TableInfo): string {
  const sql = statements(capture, table);
  const branch = (operation: string, body: Ladder): string =>
    `  elsif tg_op = '${operation}' then\n${indent(capture.strict ? record(body[0]) : alone(body[0]) + ladder(body))}`;
  return `create or replace function ${name}() ${HEADER} as $capture$
declare
  failure text;
${FIELDS.map((name) => `  ${variable(name)} core.tb_entity_change_log.${name}%type;`).join('\n')}
begin
  -- The application writes its own change rows, or a bulk load asked not to be recorded.
  if current_setting('fraiseql.cdc_mediated', true) = 'on' or current_setting('observers.mute', true) = 'on' then
    return null;
${branch('INSERT', sql.insert)}
${branch('UPDATE', sql.update)}
${branch('DELETE', sql.delete)}
  elsif coalesce(current_setting('observers.truncating', true), '') <> statement_timestamp()::text then
    -- TRUNCATE of a partitioned table fires on each partition too, the table first: one change is recorded.
    perform set_config('observers.truncating', statement_timestamp()::text, true);
    insert into core.tb_entity_change_log (object_type, modification_type, trace_context, extra_metadata)
    values (${literal(capture.entity)}, 'CUSTOM', ${TRACE}, jsonb_build_object('truncate', true, 'table', tg_relid::regclass::text));
  end if;
  return null;
end $capture$`;
}

/** Queries for the rows to record, tried in turn until one succeeds; only the last may fail the user's write, for then nothing could be. */
type Ladder = readonly [string, ...string[]];

const FIELDS = ['object_type', 'object_key', 'object_id', 'modification_type', 'object_data', 'object_data_before', 'updated_fields', 'tenant_id', 'trace_context', 'extra_metadata']; // prettier-ignore

/** No column of a table is called so. */
function variable(field: string): string {
  return `"$${field}"`;
}

function record(query: string): string {
  return `insert into core.tb_entity_change_log (${FIELDS.join(', ')})\n${query};`;
}

/**
 * A statement that changes one row, as most do. What may fail is done in a subtransaction that only reads: one that writes takes a
 * transaction number of its own (100 such statements in a transaction took 101), and more than 64 of them slow every snapshot of the server.
 */
function alone(query: string): string {
  const fields = FIELDS.map(variable).join(', ');
  return `begin
  select * into strict ${fields} from (
${indent(indent(query))}
  ) one;
  failure := '';
exception
  when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
  when others then failure := null;
end;
if failure = '' then
  ${record(`values (${fields})`)}
  return null;
end if;
`;
}

/**
 * A capture must not break the user's write: a jsonb string over 256 MB, a renamed column, a cast of the user's own that raises.
 * Each rung is tried in its own subtransaction. Cancellation and deadlock are the user's own and go through.
 */
function ladder([first, second, ...rest]: Ladder): string {
  if (second === undefined) return record(first);
  return `begin
${indent(record(first))}
exception
  when query_canceled or deadlock_detected or serialization_failure or lock_not_available then raise;
  when others then
    failure := sqlstate || ' ' || sqlerrm;
${indent(indent(ladder([second, ...rest])))}
end;`;
}

interface Statements {
  readonly insert: Ladder;
  readonly update: Ladder;
  readonly delete: Ladder;
}

const TRACE = `case when current_setting('observers.traceparent', true) <> '' or current_setting('observers.cause', true) <> ''
  then jsonb_build_object('traceparent', current_setting('observers.traceparent', true), 'tracestate', current_setting('observers.tracestate', true),
    'cause', current_setting('observers.cause', true)) end`;
const FAILURE = "jsonb_build_object('capture_error', left(failure, 1000))";

function statements(capture: CaptureDefinition, table: TableInfo): Statements {
  const row = new RowSql(capture, table);
  const filter = capture.when === null ? '' : ` where (${capture.when})`;
  const kept = capture.when === null ? '' : `, (${capture.when}) as keep`;
  // Old and new rows pair by position: both transition tables are filled by the same call for each row, and no other pairing
  // survives a changed key, or a key that is not unique.
  const pairs = `with pair as materialized (
  select o.r as old, n.r as new, o.i is not null as has_old, n.i is not null as has_new
  from (select "$row" as r, row_number() over () as i from old_rows "$row") o
  full join (select "$row" as r, row_number() over () as i${kept} from new_rows "$row") n on n.i = o.i${kept && ' where n.keep'})`;
  const update = (changed: string): string => `${pairs}
${row.select('DELETE', { before: 'p.old' })} from pair p where has_old and ${row.key('p.old')} is distinct from ${row.key('p.new')}
union all
${row.select('UPDATE', { data: 'p.new', before: capture.before ? 'p.old' : null, changed })} from pair p where ${row.key('p.old')} is not distinct from ${row.key('p.new')}
union all
${row.select('INSERT', { data: 'p.new' })} from pair p where has_new and ${row.key('p.old')} is distinct from ${row.key('p.new')}`;
  const generic = row.hidesColumns ? [] : [update(row.changedByImages())];
  return {
    insert: [
      `${row.select('INSERT', { data: 'n' })} from (select "$row" as n from new_rows "$row"${filter}) n`,
      ...row.withoutImages('INSERT', 'new_rows', filter),
    ],
    update: [update(row.changedByColumns()), ...generic, ...row.withoutImages('UPDATE', 'new_rows', '')],
    delete: [
      `${row.select('DELETE', { before: 'n' })} from (select "$row" as n from old_rows "$row"${filter}) n`,
      ...row.withoutImages('DELETE', 'old_rows', filter),
    ],
  };
}

interface Images {
  readonly data?: string;
  readonly before?: string | null;
  readonly changed?: string;
}

/** The expressions over one row of the table. A row is named by an expression such as `p.new`; `n` is a bare row. */
class RowSql {
  private readonly keyColumns: readonly string[];
  private readonly visible: readonly ColumnInfo[];
  /** Whether something must not enter the log: then the image is an explicit list, and a new column waits for `capture apply`. */
  readonly hidesColumns: boolean;

  constructor(
    private readonly capture: CaptureDefinition,
    private readonly table: TableInfo,
  ) {
    this.keyColumns = capture.key ?? table.primaryKey;
    this.visible = table.columns.filter(({ name }) => (capture.include?.includes(name) ?? true) && !capture.exclude.includes(name));
    this.hidesColumns = capture.include !== null || capture.exclude.length > 0 || Object.keys(capture.mask).length > 0;
  }

  select(verb: string, { data, before, changed }: Images): string {
    const row = data ?? before ?? 'n';
    return `select ${literal(this.capture.entity)}, ${this.key(row)}, ${this.uuidKey(row)}, '${verb}', ${data ? this.image(data) : 'null'},
  ${before ? this.image(before) : 'null'}, ${changed ?? 'null::text[]'}, ${this.tenant(row)}, ${TRACE}, null::jsonb`;
  }

  /** The last rungs: the key without data, and if even that fails (its column was renamed) the bare fact. */
  withoutImages(verb: string, rows: string, filter: string): string[] {
    const rest = `'${verb}', null::json, null::json, null::text[], null::uuid, ${TRACE}, ${FAILURE}`;
    return [
      `select ${literal(this.capture.entity)}, ${this.key('n')}, ${this.uuidKey('n')}, ${rest} from (select "$row" as n from ${rows} "$row"${filter}) n`,
      `select ${literal(this.capture.entity)}, null::text, null::uuid, ${rest} from ${rows}`,
    ];
  }

  key(row: string): string {
    const columns = this.keyColumns.map((name) => column(row, name));
    return columns.length === 1 ? `(${columns[0]})::text` : `json_build_array(${columns.join(', ')})::text`;
  }

  private uuidKey(row: string): string {
    const [only, ...others] = this.keyColumns;
    const isUuid = others.length === 0 && this.table.columns.some(({ name, type }) => name === only && type === 'uuid');
    return isUuid && only !== undefined ? column(row, only) : 'null::uuid';
  }

  private tenant(row: string): string {
    return this.capture.tenant === null ? 'null::uuid' : column(row, this.capture.tenant);
  }

  private image(row: string): string {
    if (!this.hidesColumns) return `row_to_json(${row === 'n' ? 'n.n' : row})`;
    const fields = this.visible
      .filter(({ name }) => this.capture.mask[name] !== 'drop')
      .map(({ name }) => `${this.capture.mask[name] === 'hash' ? hashed(column(row, name)) : column(row, name)} as ${identifier(name)}`);
    return `(select row_to_json(x) from (select ${fields.join(', ')}) x)`;
  }

  /** Byte-wise (record_image_ne) where \`=\` is laxer than the text: numeric 1.0 and 1.00, citext, and types that have no \`=\` at all, such as json. */
  changedByColumns(): string {
    const names = this.visible.map(({ name, plainEquality }) => {
      const [o, n] = [column('p.old', name), column('p.new', name)];
      const differs = plainEquality ? `${o} is distinct from ${n}` : `record_image_ne(row(${o}), row(${n}))`;
      return `case when ${differs} then ${literal(name)} end`;
    });
    return `array_remove(array[${names.join(', ')}], null)::text[]`;
  }

  /** From the images, ten times slower, when a column was renamed or dropped since the function was made. */
  changedByImages(): string {
    return `(select coalesce(array_agg(f.key), '{}') from json_each(row_to_json(p.new)) f
  left join json_each(row_to_json(p.old)) g on g.key = f.key where g.value is null or f.value::text <> g.value::text)`;
  }
}

function column(row: string, name: string): string {
  return `(${row === 'n' ? 'n.n' : row}).${identifier(name)}`;
}

function hashed(expression: string): string {
  return `encode(sha256((select salt from observers.mask_salt) || convert_to(${expression}::text, 'UTF8')), 'hex')`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
