import type { ClientBase } from 'pg';
import { quoteIdentifier } from '../database/names';
import { ExitCode, OperatorError } from '../event/errors';
import type { TableInfo } from '../change-log/capture/catalog';

interface Rights {
  readonly role: string;
  readonly schema: string;
  readonly useSchema: boolean;
  readonly readTable: boolean;
  readonly lockRows: boolean;
  readonly hiddenRows: boolean;
  readonly useCore: boolean;
  readonly writeLog: boolean;
  readonly useObservers: boolean;
  readonly record: boolean;
  /** Tables that are only looked at, and may not be. */
  readonly closed: readonly string[];
  /** Functions of the capture that it may not call: as they stand in GRANT. */
  readonly functions: readonly string[];
}

// FOR SHARE asks for UPDATE on one column. The catalogue is asked by oid: by name PostgreSQL refuses where the schema is closed.
const RIGHTS = `
  with log as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'core' and c.relname = 'tb_entity_change_log'),
  ours as (select c.oid, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'observers')
  select quote_ident(current_user) as role, quote_ident(n.nspname) as schema,
    has_schema_privilege(n.oid, 'USAGE') as "useSchema",
    has_table_privilege(c.oid, 'SELECT') or not exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      and not has_column_privilege(c.oid, a.attnum, 'SELECT')) as "readTable",
    has_any_column_privilege(c.oid, 'UPDATE') as "lockRows", row_security_active(c.oid) as "hiddenRows",
    has_schema_privilege('core', 'USAGE') as "useCore", (select has_table_privilege(oid, 'INSERT') from log) as "writeLog",
    has_schema_privilege('observers', 'USAGE') as "useObservers",
    (select has_table_privilege(oid, 'SELECT') and has_table_privilege(oid, 'INSERT') and has_table_privilege(oid, 'UPDATE') from ours where relname = 'backfill') as record,
    array(select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where ((n.nspname, c.relname) = ('core', 'tb_entity_change_log') or n.nspname = 'observers' and c.relname = any ($3))
        and not has_table_privilege(c.oid, 'SELECT') order by 1) as closed,
    array(select format('observers.%I', p.proname) from pg_proc p where p.pronamespace = to_regnamespace('observers') and format('observers.%I', p.proname) = any ($2)
      and not has_function_privilege(p.oid, 'EXECUTE') order by 1) as functions
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1::oid`;

/** Who leads, by which version, and how far it is: a backfill follows the service. */
const LOOKED_AT = ['captured_table', 'checkpoint', 'config_period', 'config_version', 'lease', 'pending_delivery'];

/** @throws OperatorError with the least grants that are missing */
export async function requirePrivileges(
  client: ClientBase,
  table: TableInfo,
  keys: readonly string[],
  functions: readonly string[],
): Promise<void> {
  const { rows } = await client.query<Rights>(RIGHTS, [table.oid, functions, LOOKED_AT]);
  const [has] = rows;
  if (has === undefined) throw new OperatorError(`the table ${table.name} is gone`, 'Nothing was changed.', ExitCode.notFound);
  const grants = grantsOf(has, table, keys);
  if (grants.length > 0) {
    throw new OperatorError(
      `the role ${has.role} may not read ${table.name}, lock its rows and write to the change log`,
      `Run as an administrator: ${grants.join('; ')}`,
      ExitCode.connection,
    );
  }
  if (has.hiddenRows) {
    throw new OperatorError(
      `row-level security hides rows of ${table.name} from the role ${has.role}: they would be left out without a word`,
      'Run it as a role that sees all rows: the owner of the table, where its policies are not forced, or one with bypassrls.',
      ExitCode.connection,
    );
  }
}

function grantsOf(has: Rights, table: TableInfo, keys: readonly string[]): string[] {
  const to = `to ${has.role}`;
  const column = quoteIdentifier(keys[0] ?? '');
  return [
    ...(has.useSchema ? [] : [`grant usage on schema ${has.schema} ${to}`]),
    ...(has.readTable ? [] : [`grant select on ${table.name} ${to}`]),
    ...(has.lockRows ? [] : [`grant update (${column}) on ${table.name} ${to}`]),
    ...(has.useCore ? [] : [`grant usage on schema core ${to}`]),
    ...(has.writeLog ? [] : [`grant insert on core.tb_entity_change_log ${to}`]),
    ...(has.useObservers ? [] : [`grant usage on schema observers ${to}`]),
    ...(has.record ? [] : [`grant select, insert, update on observers.backfill ${to}`]),
    ...(has.closed.length === 0 ? [] : [`grant select on ${has.closed.join(', ')} ${to}`]),
    ...(has.functions.length === 0 ? [] : [`grant execute on function ${has.functions.join(', ')} ${to}`]),
  ];
}
