import { rolledBack } from '../database/transaction';
import type { ClientBase } from 'pg';
import { quoteIdentifier } from '../database/names';
import type { CaptureDefinition, ObserverDefinition } from '../event/definitions';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { planCapture } from '../change-log/capture/capture';
import { ownerOf } from '../change-log/capture/owner';
import { functionsOf, partsOf } from '../change-log/capture/capture-sql';
import { readRecords, readTables, type TableInfo } from '../change-log/capture/catalog';
import { namesOf, rowFunctionsOf } from '../change-log/capture/row-functions';
import type { BackfillSubject } from './backfill.sql';
import { KeyOrder } from './key-order';
import { requirePrivileges } from './privileges';
import { RowSource } from './row-source';
import { NO_VIEWS, requireTheSame } from './trust';

/** What a backfill reads, and how. */
export interface BackfillTarget {
  readonly subject: BackfillSubject;
  readonly rows: RowSource;
  /** Fingerprint of the capture that the statements are made of. */
  readonly fingerprint: string;
  readonly columns: readonly string[];
}

export interface BackfillRequest {
  readonly table: string;
  /** Names. */
  readonly observers: readonly string[];
  readonly where: string | null;
}

interface Known {
  readonly captures: readonly CaptureDefinition[];
  readonly observers: readonly ObserverDefinition[];
}

/** Finds the table, its capture and the observers. Changes nothing. @throws OperatorError that says why a backfill of it cannot be */
export async function findTarget(client: ClientBase, request: BackfillRequest, known: Known): Promise<BackfillTarget> {
  const [table] = await readTables(client, [request.table]);
  if (table == null)
    throw new OperatorError(`there is no table ${request.table}`, 'Name it as capture list prints it: schema.table', ExitCode.notFound);
  const capture = await captureOf(client, table, known.captures);
  const observers = [...new Set(request.observers)].sort();
  requireObservers(observers, capture.entity, known.observers, 'the file');
  const log = await ownerOf(client);
  const functions = rowFunctionsOf(functionsOf(table.name), partsOf(capture, table, log));
  const keys = table.primaryKey.length > 0 ? table.primaryKey : (capture.key ?? []);
  await requirePrivileges(client, table, keys, namesOf(functions));
  await requireCurrent(client, table, capture);
  const subject = { relid: table.oid, table: table.name, entity: capture.entity, observers, where: request.where, keys };
  if (!(await requireTheSame(client, subject))) throw new OperatorError(`the table ${table.name} is gone`, 'Nothing was changed.');
  const record = (await readRecords(client)).find(({ relationOid }) => relationOid === table.oid);
  const order = await KeyOrder.of(client, table.oid, keys);
  requireNoDomains(order, table);
  const rows = new RowSource(
    { name: table.kind === 'p' ? table.name : `only ${table.name}`, entity: capture.entity, document: log.document, functions },
    order,
    request.where,
  );
  await requireReadable(client, table, rows, keys);
  return {
    subject,
    rows,
    fingerprint: record?.fingerprint ?? '',
    columns: table.columns.map(({ name }) => name),
  };
}

/** @throws OperatorError where a value of the key cannot be made without calling a function of its domain's owner */
function requireNoDomains(order: KeyOrder, table: TableInfo): void {
  const column = order.columns.find(({ holdsDomain }) => holdsDomain);
  if (column === undefined) return;
  throw new OperatorError(
    `the key ${quoteIdentifier(column.name)} of ${table.name} has parts of a domain: going by it would call the domain's CHECK as this role`,
    'Give the table a primary key of other types. A domain itself may be a key.',
    ExitCode.configuration,
  );
}

/** @throws OperatorError where the file has none */
async function captureOf(client: ClientBase, table: TableInfo, captures: readonly CaptureDefinition[]): Promise<CaptureDefinition> {
  const tables = await readTables(client, captures.map((capture) => capture.table)); // prettier-ignore
  const capture = captures[tables.findIndex((one) => one?.oid === table.oid)];
  if (capture === undefined) {
    const captured = tables.flatMap((one) => (one === null ? [] : [one.name]));
    throw new OperatorError(
      `${table.name} is not captured by the observers file: it does not say what its rows are to observers`,
      `Add it under capture: and run capture apply. Captured tables: ${captured.join(', ') || 'none'}.`,
      ExitCode.configuration,
    );
  }
  return capture;
}

/** @throws OperatorError where the table is not captured as the file says: what would be sent is not what the capture records */
async function requireCurrent(client: ClientBase, table: TableInfo, capture: CaptureDefinition): Promise<void> {
  const plan = (await planCapture(client, [capture])).find(({ table: name }) => name === table.name);
  if (plan?.state !== 'current') {
    throw new OperatorError(
      `${table.name} is not captured as the observers file says: ${plan?.reasons.join('; ') ?? 'not captured'}`,
      'Run: fraiseql-observers capture apply',
      ExitCode.configuration,
    );
  }
}

/** @throws OperatorError where one is not there, or is not for the entity */
export function requireObservers(
  names: readonly string[],
  entity: string,
  known: readonly ObserverDefinition[],
  where: string,
): readonly ObserverDefinition[] {
  return names.map((name) => {
    const observer = known.find((one) => one.name === name);
    if (observer === undefined) {
      const fitting = known.filter(({ entities }) => entities === '*' || entities.includes(entity));
      throw new OperatorError(
        `there is no observer "${name}" in ${where}`,
        `Observers of ${entity}: ${fitting.map((one) => one.name).join(', ') || 'none'}.`,
        ExitCode.notFound,
      );
    }
    const { entities } = observer;
    if (entities !== '*' && !entities.includes(entity)) {
      throw new OperatorError(
        `the observer ${name} is for ${entities.join(', ')} in ${where}, and rows of this table are ${entity}: it would take none of them`,
        `Name an observer of ${entity}, or add ${entity} to its entity:.`,
        ExitCode.configuration,
      );
    }
    return observer;
  });
}

/** Has the database read the condition and the order. @throws OperatorError with what it says */
async function requireReadable(client: ClientBase, table: TableInfo, rows: RowSource, keys: readonly string[]): Promise<void> {
  await reading(client, async () => {
    try {
      // Named: then the driver sends it as one statement, and a second one behind a semicolon is refused.
      for (const [i, text] of rows.checks.entries()) await client.query({ name: `backfill-where-${i}`, text });
    } catch (error) {
      throw new OperatorError(
        `the database cannot read the condition: ${messageOf(error)}`,
        `Correct --where. It is SQL over the columns of the row, by their bare names: ${table.columns.map(({ name }) => quoteIdentifier(name)).join(', ')}.`,
        ExitCode.configuration,
        { cause: error },
      );
    }
  });
  await reading(client, async () => {
    try {
      await client.query(rows.keys(false), [0]);
      await client.query(rows.keys(true), [0, ...keys.map(() => null)]);
    } catch (error) {
      if (!/^42(883|P01|703|725)$/.test(String((error as { code?: unknown }).code))) throw error;
      throw new OperatorError(
        `the rows of ${table.name} cannot be put in the order of their key: ${messageOf(error)}`,
        'Give the table a primary key, or name columns under key: that can be ordered.',
        ExitCode.configuration,
        { cause: error },
      );
    }
  });
}

/** A condition is understood as the role of the connection understands it; everything else is qualified. */
const AS_THE_ROLE = 'set local search_path to default';
/** The texts of values are those that captures write. Rows that a policy hides would be left out without a word: then the statement fails. */
export const TEXTS =
  "set local row_security = off; set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local bytea_output = 'hex'; set local extra_float_digits = 1";

/** In a transaction that cannot write, and of which nothing remains. @param settings statements more */
export function reading<T>(client: ClientBase, work: () => Promise<T>, settings = ''): Promise<T> {
  const begin = `begin transaction isolation level read committed read only; ${TEXTS}; ${NO_VIEWS}; ${AS_THE_ROLE}; ${settings}`;
  return rolledBack(client, begin, work);
}

/** How many rows there are to do, and how many have no key and are left out. @throws OperatorError where the condition fails for a row */
export async function countRows(
  client: ClientBase,
  { rows }: BackfillTarget,
): Promise<{ readonly count: number; readonly unplaced: number }> {
  const ask = async (sql: string | null): Promise<number> =>
    sql === null ? 0 : ((await client.query<{ count: number }>(sql)).rows[0]?.count ?? 0);
  return reading(client, async () => {
    try {
      return { count: await ask(rows.count), unplaced: await ask(rows.unplaced) };
    } catch (error) {
      throw unanswerable(error);
    }
  });
}

/** What the database says of a row for which the condition, or that of the capture, has no answer. */
export function unanswerable(error: unknown): unknown {
  const code = String((error as { code?: unknown }).code);
  // The transaction is one that cannot write: this is no stand-by.
  if (code === '25006') {
    return new OperatorError(
      `a condition (--where, or when: of the capture) may only read: ${messageOf(error)}`,
      'Call no function in it that writes, and none in a cast of the types of the table. Functions and operators are found on the search_path of the role: name them with their schema where another one is found than is meant.',
      ExitCode.error,
      { cause: error },
    );
  }
  if (!/^(2[12]|54|P0|38|39|XX)/.test(code)) return error;
  return new OperatorError(
    `a condition (--where, or when: of the capture) has no answer for one of the rows: ${messageOf(error)}`,
    'Narrow --where to rows for which it has one, as in: case when VALUE ~ PATTERN then … end.',
    ExitCode.error,
    { cause: error },
  );
}
