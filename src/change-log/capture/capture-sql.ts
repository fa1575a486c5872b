import { createHash } from 'node:crypto';
import { quoteIdentifier, quoteLiteral } from '../../database/names';
import type { CaptureDefinition } from '../../event/definitions';
import type { RelationInfo, TableInfo } from './catalog';
import type { LogInfo } from './owner';
import { beforeRowFunction, rowFunction, statementFunction, truncateFunction } from './functions-sql';
import { OPERATIONS, type FunctionParts } from './records-sql';
import { createRowFunctions, namesOf, rowFunctionsOf } from './row-functions';
import { RowSql } from './row-sql';
import { pinsFor, UNDER_POLICIES } from './session-settings';
import { whenFunction } from './when-sql';

/** A trigger of ours on a table or partition. */
export interface CaptureTrigger {
  readonly name: string;
  /** As in pg_trigger.tgenabled. ALWAYS, or session_replication_role = replica would bypass it. */
  readonly enabled: 'A' | 'O' | 'R';
  readonly create: string;
}

export interface CaptureSql {
  /** Hash of everything that is made: `capture check` compares it with the triggers' argument. */
  readonly fingerprint: string;
  /** What the functions' names begin with. */
  readonly functions: string;
  /** Before the functions: what they call. */
  readonly createWhen: readonly string[];
  /** Names of what that makes, quoted and schema-qualified. */
  readonly conditions: readonly string[];
  readonly createFunctions: readonly string[];
  /** Quoted, schema-qualified. They run with their owner's rights. */
  readonly functionNames: readonly string[];
  /** Those of them that people call, of one row: see row-functions. */
  readonly rowFunctions: readonly string[];
  readonly triggersOf: (relation: RelationInfo) => readonly CaptureTrigger[];
}

/** What the functions of one table are made of. */
export function partsOf(
  capture: CaptureDefinition,
  table: TableInfo,
  { sequence, document, hasPolicies }: LogInfo,
): FunctionParts & Pick<CaptureSql, 'createWhen' | 'conditions'> {
  const when = capture.when === null ? null : whenFunction(functionsOf(table.name), capture.when, table);
  const row = new RowSql(capture, table);
  const toInsert = hasPolicies ? [UNDER_POLICIES] : [];
  const common = { document, capture, table, row, tag: tagOf(table.name), pins: [...pinsFor(table.columns, row), ...toInsert], toInsert };
  const { create = [], functions = [] } = when ?? {};
  return { ...common, when, createWhen: create, conditions: functions, sequence: `${quoteLiteral(sequence ?? '')}::pg_catalog.regclass` };
}

/** The functions and triggers that record the changes of one table. */
export function captureSql(capture: CaptureDefinition, table: TableInfo, log: LogInfo): CaptureSql {
  const functions = functionsOf(table.name);
  const { createWhen, conditions, ...parts } = partsOf(capture, table, log);
  const named = (suffix: string): string => `observers.${quoteIdentifier(`${functions}_${suffix}`)}`;
  const made = [
    ...(table.isInherited
      ? []
      : OPERATIONS.map((operation) => [named(operation), statementFunction(named(operation), parts, operation)] as const)),
    [named('truncate'), truncateFunction(named('truncate'), parts)] as const,
    ...(table.hasTriggers ? [[named('note'), beforeRowFunction(named('note'), parts)] as const] : []),
    ...(table.isSubscribed || table.isInherited ? [[named('row'), rowFunction(named('row'), parts)] as const] : []),
  ];
  const rowFunctions = rowFunctionsOf(functions, parts);
  const create = [...made.map(([, statement]) => statement), ...createRowFunctions(rowFunctions, parts)];
  const definition = (relation: RelationInfo): string => JSON.stringify(definitionOf(parts, relation));
  const text = [...createWhen, ...create, definition({ ...table.relations[0]!, oid: 0 })].join('\n');
  const fingerprint = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return {
    fingerprint,
    functions,
    createWhen,
    conditions,
    createFunctions: create,
    functionNames: [...made.map(([name]) => name), ...namesOf(rowFunctions)],
    rowFunctions: namesOf(rowFunctions),
    triggersOf: (relation) => triggersOf(parts, relation, named, [fingerprint, relation.isRoot ? 'table' : 'partition', definition(relation), relation.shape]), // prettier-ignore
  };
}

/** What all names of one table's functions begin with; the part that people read is cut, the rest tells tables apart. */
export function functionsOf(table: string): string {
  const readable = table
    .replace(/[^a-z0-9]+/gi, '_')
    .replace(/^_|_$/g, '')
    .toLowerCase()
    .slice(0, 30);
  return `capture_${readable}_${tagOf(table)}`;
}

function tagOf(table: string): string {
  return createHash('sha256').update(table).digest('hex').slice(0, 8);
}

/** For the long way, observers.capture_statement: columns by their numbers, and by the names that they have now. */
function definitionOf({ capture, row, when, document }: FunctionParts, { oid, numbers }: RelationInfo): object {
  const columns = (names: readonly string[]): object[] => names.map((name) => ({ n: numbers[name], name }));
  const masked = (mask: string): object[] => columns(Object.keys(capture.mask).filter((name) => capture.mask[name] === mask));
  return {
    relation: oid,
    entity: capture.entity,
    key: columns(row.key.map(({ name }) => name)),
    uuid: row.hasUuidKey,
    tenant: columns(capture.tenant === null ? [] : [capture.tenant]),
    include: capture.include === null ? null : columns(capture.include),
    exclude: columns(capture.exclude),
    hash: masked('hash'),
    drop: masked('drop'),
    hides: row.hides,
    function: when?.guarded ?? null,
    when: columns(when?.columns ?? []),
    before: capture.before,
    strict: capture.strict,
    document,
  };
}

/** Marks sort behind the triggers of others: what those write before the statement, or a row's change, is not written by it. */
export const MARKS = { mark: '~~~observers_capture_mark', note: '~~~observers_capture_note', truncate: 'observers_capture_truncate_mark' };
/** Sorts before them: what those write comes after the row. */
export const ROW_TRIGGER = '!observers_capture_row';

function triggersOf(
  { table, tag }: FunctionParts,
  relation: RelationInfo,
  named: (suffix: string) => string,
  args: readonly string[],
): CaptureTrigger[] {
  const literals = args.map(quoteLiteral).join(', ');
  const trigger = (name: string, when: string, run: string, enabled: CaptureTrigger['enabled'] = 'A'): CaptureTrigger => ({
    name,
    enabled,
    create: `create trigger ${quoteIdentifier(name)} ${when.replace('TABLE', () => relation.name)} execute function ${run}`,
  });
  const whole = table.isSubscribed ? 'O' : 'A';
  const statement = (operation: string, referencing: string): CaptureTrigger =>
    trigger(`observers_capture_${operation}`, `after ${operation} on TABLE referencing ${referencing} for each statement`, `${named(operation)}(${literals})`, whole); // prettier-ignore
  const truncates = table.relations.length > 1;
  // A statement on a table takes in those that inherit from it, and fires the statement triggers of that table alone.
  const statements = table.isInherited
    ? []
    : [
        statement('insert', 'new table as new_rows'),
        statement('update', 'old table as old_rows new table as new_rows'),
        statement('delete', 'old table as old_rows'),
      ];
  const byRow = table.isInherited ? 'A' : table.isSubscribed ? 'R' : null;
  return [
    ...statements,
    trigger('observers_capture_truncate', 'after truncate on TABLE for each statement', `${named('truncate')}(${literals})`),
    ...(truncates
      ? [trigger(MARKS.truncate, 'before truncate on TABLE for each statement', `observers.capture_truncate_mark('${tag}')`)]
      : []),
    ...(table.hasTriggers ? [trigger(MARKS.mark, 'before insert or update or delete on TABLE for each statement', `observers.capture_mark('${tag}')`, whole)] : []), // prettier-ignore
    // On the table alone: PostgreSQL puts a row trigger on its partitions.
    ...(table.hasTriggers && relation.isRoot ? [trigger(MARKS.note, 'before insert or update or delete on TABLE for each row', `${named('note')}()`, whole)] : []), // prettier-ignore
    ...(byRow !== null && relation.isRoot ? [trigger(ROW_TRIGGER, 'after insert or update or delete on TABLE for each row', `${named('row')}(${literals})`, byRow)] : []), // prettier-ignore
  ];
}

export const ENABLE: Readonly<Record<CaptureTrigger['enabled'], string>> = { A: 'enable always', O: 'enable', R: 'enable replica' };
