import type { ClientBase } from 'pg';
import type { CaptureDefinition } from '../../event/definitions';
import { ExitCode, OperatorError } from '../../event/errors';
import { captureSql, dropSql, TRIGGERS } from './capture-sql';
import { readRecords, readTable, readTriggers, type CaptureRecord, type InstalledTrigger, type TableInfo } from './catalog';

/** `current`: nothing to do. `missing`: not captured yet. `drifted`: captured otherwise than asked. `unwanted`: captured, and no longer asked for. */
export type CaptureState = 'current' | 'missing' | 'drifted' | 'unwanted';

/** What stands between the observers file and the database for one table. */
export interface CapturePlan {
  /** As the observers file names it. */
  readonly table: string;
  readonly entity: string | null;
  readonly state: CaptureState;
  /** One sentence per difference; empty when current. */
  readonly reasons: readonly string[];
  /** Statements that repair it, in order; empty when current, and for tables that are merely no longer asked for. */
  readonly sql: readonly string[];
}

/**
 * Compares the `capture:` section with the triggers in the database. Changes nothing.
 *
 * @throws OperatorError when a table or column does not exist, or a table has no usable key
 */
export async function planCapture(client: ClientBase, captures: readonly CaptureDefinition[]): Promise<CapturePlan[]> {
  const [triggers, records] = [await readTriggers(client), await readRecords(client)];
  const plans: CapturePlan[] = [];
  const wanted = new Set<string>();
  for (const capture of captures) {
    const table = await tableFor(client, capture);
    wanted.add(table.name);
    const record = records.find(({ relation }) => relation === table.name);
    plans.push(planOne(capture, table, triggers, record));
  }
  for (const { relation, options } of records) {
    if (wanted.has(relation)) continue;
    const entity = (options as { entity?: string }).entity ?? null;
    const reason = `captured, but not in the observers file; to end it: capture remove ${relation}`;
    plans.push({ table: relation, entity, state: 'unwanted', reasons: [reason], sql: [] });
  }
  return plans;
}

/** Runs the plans' statements in one transaction: all tables or none. */
export async function applyCapture(client: ClientBase, plans: readonly CapturePlan[]): Promise<void> {
  await client.query('begin');
  try {
    // Triggers need a brief exclusive lock; behind a long transaction we give up rather than make every other query of the table queue.
    await client.query("set local lock_timeout = '5s'");
    for (const statement of plans.flatMap(({ sql }) => sql)) await client.query(statement);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    if ((error as { code?: string }).code === '55P03') {
      throw new OperatorError(
        'a table is locked by another transaction, and nothing was changed',
        'Run it again when that transaction has ended.',
        ExitCode.error,
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

/** Statements that end the capture of a table; what is already in the log stays. @throws OperatorError when it is not captured */
export async function planRemoval(client: ClientBase, name: string): Promise<string[]> {
  const table = await readTable(client, name);
  const relation = table?.name ?? name;
  const records = await readRecords(client);
  if (!records.some((record) => record.relation === relation)) {
    const known = records.map((record) => record.relation).join(', ') || 'none';
    throw new OperatorError(`${relation} is not captured`, `Captured tables: ${known}.`, ExitCode.notFound);
  }
  const drops = table ? dropSql(table.relations, table.name) : dropSql([], relation);
  return [...drops, `delete from observers.captured_table where relation = ${literal(relation)}`];
}

async function tableFor(client: ClientBase, capture: CaptureDefinition): Promise<TableInfo> {
  const table = await readTable(client, capture.table);
  const refuse = (message: string, remedy: string): OperatorError =>
    new OperatorError(`capture of ${capture.table}: ${message}`, remedy, ExitCode.configuration);
  if (!table) throw refuse('there is no such table', 'Correct the name under capture: (schema.table), or create the table first.');
  if (!['r', 'p'].includes(table.kind))
    throw refuse(
      'it is not an ordinary or partitioned table',
      'Views and foreign tables cannot be captured; capture the tables behind them.',
    );
  if (!table.mayAlter)
    throw refuse(`only its owner may add triggers`, `Run as ${table.owner}, or: grant ${table.owner} to the role of DATABASE_URL.`);
  const columns = new Map(table.columns.map((column) => [column.name, column]));
  const named = [capture.key ?? [], capture.include ?? [], capture.exclude, Object.keys(capture.mask), capture.tenant ?? []].flat();
  for (const name of named) {
    if (!columns.has(name)) throw refuse(`it has no column "${name}"`, `Its columns are ${[...columns.keys()].join(', ')}.`);
  }
  if ((capture.key ?? table.primaryKey).length === 0) {
    throw refuse('it has no primary key', 'Name the columns that identify a row: key: [column, …].');
  }
  if (capture.tenant !== null && columns.get(capture.tenant)?.type !== 'uuid') {
    throw refuse(
      `the tenant column "${capture.tenant}" is ${columns.get(capture.tenant)?.type}, and tenants are uuid`,
      'Leave tenant out; the column is in the data all the same.',
    );
  }
  return table;
}

function planOne(
  capture: CaptureDefinition,
  table: TableInfo,
  triggers: readonly InstalledTrigger[],
  record: CaptureRecord | undefined,
): CapturePlan {
  const { fingerprint, createFunction, functionName, createTriggers } = captureSql(capture, table);
  const reasons = differences(table, fingerprint, triggers, record);
  const recordSql = `insert into observers.captured_table (relation, options, fingerprint, columns)
values (${literal(table.name)}, ${literal(JSON.stringify(capture))}, '${fingerprint}', array[${table.columns.map(({ name }) => literal(name)).join(', ')}])
on conflict (relation) do update set options = excluded.options, fingerprint = excluded.fingerprint, columns = excluded.columns, applied_at = clock_timestamp()`;
  const sql = [createFunction, `revoke all on function ${functionName}() from public`, ...createTriggers, recordSql];
  return {
    table: table.name,
    entity: capture.entity,
    state: reasons.length === 0 ? 'current' : record === undefined ? 'missing' : 'drifted',
    reasons,
    sql: reasons.length === 0 ? [] : sql,
  };
}

function differences(
  table: TableInfo,
  fingerprint: string,
  triggers: readonly InstalledTrigger[],
  record: CaptureRecord | undefined,
): string[] {
  if (!record) return ['not captured'];
  const reasons: string[] = [];
  const now = table.columns.map(({ name }) => name);
  const added = now.filter((name) => !record.columns.includes(name));
  const gone = record.columns.filter((name) => !now.includes(name));
  if (added.length > 0) reasons.push(`columns added since: ${added.join(', ')}`);
  if (gone.length > 0) reasons.push(`columns gone since: ${gone.join(', ')}`);
  if (record.fingerprint !== fingerprint && reasons.length === 0)
    reasons.push('the options or the generated SQL differ from what was applied');
  for (const relation of table.relations) {
    for (const name of Object.keys(TRIGGERS)) {
      const trigger = triggers.find((candidate) => candidate.relation === relation && candidate.trigger === name);
      if (!trigger) reasons.push(`${relation} has no trigger ${name}`);
      else if (trigger.enabled !== 'A') reasons.push(`${name} on ${relation} is not ENABLE ALWAYS: writes go by unseen`);
      else if (trigger.fingerprint !== record.fingerprint) reasons.push(`${name} on ${relation} is of another version`);
    }
  }
  return reasons;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
