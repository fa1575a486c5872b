import { rolledBack, transaction } from '../../database/transaction';
import type { ClientBase } from 'pg';
import { quoteIdentifier, quoteLiteral } from '../../database/names';
import { alongPath } from '../../database/pinned-client';
import type { CaptureDefinition } from '../../event/definitions';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { captureSql, ENABLE, functionsOf, type CaptureSql } from './capture-sql';
import {
  printedName,
  readRecords,
  readRowFunctions,
  readTables,
  readTriggers,
  type CaptureRecord,
  type InstalledFunction,
  type InstalledTrigger,
  type TableInfo,
} from './catalog';
import { differences, serves } from './differences';
import { ownerOf, ownedBy, triedBy, type CaptureOwner } from './owner';
import { problemWith, type Taken } from './problem';
import { whenFunction } from './when-sql';

/**
 * `current`: nothing to do. `missing`: not captured yet. `drifted`: captured otherwise than asked. `unwanted`: captured, and no longer
 * asked for. `impossible`: the table, or something that the file says of it, does not exist.
 */
export type CaptureState = 'current' | 'missing' | 'drifted' | 'unwanted' | 'impossible';

/** What stands between the observers file and the database for one table. */
export interface CapturePlan {
  /** Quoted and schema-qualified where it exists, otherwise as the observers file names it. */
  readonly table: string;
  readonly entity: string | null;
  readonly state: CaptureState;
  /** One sentence per difference; empty when current. */
  readonly reasons: readonly string[];
  /** Statements that repair it, in order; empty when current, when it is impossible, and for tables that are no longer asked for. */
  readonly sql: readonly string[];
}

/** Compares the `capture:` section with the triggers in the database. Changes nothing, and needs no ownership. */
export async function planCapture(client: ClientBase, captures: readonly CaptureDefinition[]): Promise<CapturePlan[]> {
  const [triggers, records] = [await readTriggers(client), await readRecords(client)];
  const found = await readTables(client, captures.map(({ table }) => table)); // prettier-ignore
  const functions = await readRowFunctions(client);
  const owner = await ownerOf(client);
  // The clock of nested statements is the log's sequence. An adopted log may take its numbers from elsewhere: then no book is kept. Nor is one where
  // rows are recorded one by one.
  const keepsNoBook = (table: TableInfo): boolean => owner.sequence === null || table.isInherited;
  const tables = found.map((table) => (table !== null && keepsNoBook(table) ? { ...table, hasTriggers: false } : table));
  const claimed = tables.flatMap((table) => (table === null ? [] : [functionsOf(table.name)]));
  const planned = new Set<number>();
  const taken = new Map<number, Taken>();
  const plans: CapturePlan[] = [];
  for (const [index, capture] of captures.entries()) {
    const table = tables[index] ?? null;
    plans.push(planOne(capture, table, { triggers, records, functions, owner, planned, taken, claimed }));
    for (const { oid } of table?.relations ?? []) {
      planned.add(oid);
      if (table !== null && !taken.has(oid)) taken.set(oid, { table: table.name, entity: capture.entity });
    }
  }
  const wanted = new Set(tables.flatMap((table) => (table === null ? [] : [table.oid])));
  const named = new Set(plans.map(({ table }) => table));
  for (const record of records) {
    if ((record.relationOid !== null && wanted.has(record.relationOid)) || named.has(record.relation)) continue;
    const entity = (record.options as { entity?: string }).entity ?? null;
    const gone = record.nowCalled === null;
    const reason = `${gone ? 'the table is gone' : 'captured, but not in the observers file'}; to end it: capture remove ${record.nowCalled ?? record.relation}`;
    plans.push({ table: record.nowCalled ?? record.relation, entity, state: 'unwanted', reasons: [reason], sql: [] });
  }
  return plans;
}

interface Installed {
  readonly triggers: readonly InstalledTrigger[];
  readonly records: readonly CaptureRecord[];
  readonly functions: readonly InstalledFunction[];
  readonly owner: CaptureOwner;
  /** Relations of earlier plans, whose triggers are settled: tables may have swapped their names, a partition may have left. */
  readonly planned: ReadonlySet<number>;
  readonly taken: ReadonlyMap<number, Taken>;
  /** What the functions of all tables of the file begin with. */
  readonly claimed: readonly string[];
}

function planOne(capture: CaptureDefinition, table: TableInfo | null, installed: Installed): CapturePlan {
  const problem = problemWith(capture, table, installed.taken);
  if (table === null || problem !== null) {
    const record = installed.records.find(({ relation }) => relation === capture.table);
    const renamed = table === null && record?.nowCalled != null ? `; the one that was captured is called ${record.nowCalled} now` : '';
    return { table: table?.name ?? capture.table, entity: capture.entity, state: 'impossible', reasons: [`${problem}${renamed}`], sql: [] };
  }
  const { owner } = installed;
  const made = captureSql(capture, table, owner);
  const record = recordOf(table, installed.records);
  const ours = triggersAround(table, [made.functions, record?.functions ?? null], installed);
  const reasons = differences({ table, made, record, triggers: ours, functions: installed.functions, owner });
  const others = [...installed.claimed, ...functionsOfOthers(installed.records, record)].filter(
    (beginning) => beginning !== made.functions,
  );
  return {
    table: table.name,
    entity: capture.entity,
    state: reasons.length === 0 ? 'current' : record === undefined ? 'missing' : 'drifted',
    reasons,
    sql: reasons.length === 0 ? [] : statements(capture, table, { made, record, triggers: ours, owner, others }),
  };
}

/** A partition may have come from another captured table, with triggers that call that one's functions. */
function functionsOfOthers(records: readonly CaptureRecord[], record: CaptureRecord | undefined): string[] {
  return records.flatMap(({ functions }) => (functions === null || functions === record?.functions ? [] : [functions]));
}

function recordOf(table: TableInfo, records: readonly CaptureRecord[]): CaptureRecord | undefined {
  return records.find(({ relationOid }) => relationOid === table.oid) ?? records.find(({ relation }) => relation === table.name);
}

/** Those on its relations, and those on relations that its functions serve: a partition that was detached, the table of that name before. */
function triggersAround(
  table: TableInfo | null,
  functions: readonly (string | null)[],
  { triggers, planned }: Pick<Installed, 'triggers' | 'planned'>,
): InstalledTrigger[] {
  const own = new Set(table?.relations.map(({ oid }) => oid) ?? []);
  const served = new Set(triggers.filter((one) => functions.some((name) => serves(one, name))).map(({ relationOid }) => relationOid));
  return triggers.filter(({ relationOid }) => own.has(relationOid) || (served.has(relationOid) && !planned.has(relationOid)));
}

interface Making {
  readonly made: CaptureSql;
  readonly record: CaptureRecord | undefined;
  readonly triggers: readonly InstalledTrigger[];
  readonly owner: CaptureOwner;
  /** Beginnings of functions that are not this table's. */
  readonly others: readonly string[];
}

function statements(capture: CaptureDefinition, table: TableInfo, { made, record, triggers, owner, others }: Making): string[] {
  const removed = removal({ record, triggers, functions: made.functions, others, table, made: made.functionNames });
  const recordSql = `insert into observers.captured_table (relation, relid, functions, options, fingerprint, columns)
values (${quoteLiteral(table.name)}, ${quoteLiteral(table.name)}::regclass, ${quoteLiteral(made.functions)}, ${quoteLiteral(JSON.stringify(capture))}, '${made.fingerprint}', array[${table.columns.map(({ name }) => quoteLiteral(name)).join(', ')}])`;
  return [
    ...removed,
    ...made.createWhen,
    ...made.createFunctions,
    ...table.relations.flatMap((relation) =>
      made
        .triggersOf(relation)
        .flatMap(({ name, enabled, create }) => [
          create,
          ...(enabled === 'O' ? [] : [`alter table ${relation.name} ${ENABLE[enabled]} trigger ${quoteIdentifier(name)}`]),
        ]),
    ),
    // Whoever makes a trigger must be allowed to run its function, which only the owner is in the end.
    ...ownedBy(owner, made.functionNames, { called: made.rowFunctions, conditions: made.conditions }),
    ...triedBy(owner, table.hasTriggers),
    recordSql,
  ];
}

interface Removing {
  readonly record: CaptureRecord | undefined;
  readonly triggers: readonly InstalledTrigger[];
  readonly functions: string;
  /** Beginnings of functions that other tables have, which may have changed names with this one. */
  readonly others: readonly string[];
  readonly table: TableInfo | null;
  /** What is made anew. */
  readonly made?: readonly string[];
}

/** Everything of an earlier `capture apply`. Functions by their beginning: an earlier version of this program had others. */
function removal({ record, triggers, functions, others, table, made = [] }: Removing): string[] {
  const isOthers = (name: string): boolean => others.some((beginning) => name.replaceAll('"', '').startsWith(`observers.${beginning}_`));
  const conditions = [...new Set([functions, record?.functions ?? functions])].flatMap((beginning) =>
    ['when_row', 'when_text', 'when', 'backfill_kept', 'backfill'].map((what) => `observers.${quoteIdentifier(`${beginning}_${what}`)}`),
  );
  const known = new Set(
    triggers.map((trigger) => trigger.function).filter((name) => !/^observers\."?capture_(truncate_)?mark"?$/.test(name)),
  );
  // Whoever owns the schema may drop a function of another role, and not replace it.
  for (const name of [...made, ...conditions]) known.add(name);
  return [
    ...triggers.map(({ trigger, relation }) => `drop trigger if exists ${quoteIdentifier(trigger)} on ${relation}`),
    ...[...known].filter((name) => !isOthers(name)).map((name) => `drop function if exists ${name}`),
    ...(record === undefined ? [] : [`delete from observers.captured_table where ${recordsOf(record, table)}`]),
  ];
}

/** Not one that an earlier plan has just made, under a name that changed hands. */
function recordsOf({ relation, relationOid }: CaptureRecord, table: TableInfo | null): string {
  const itself = `relation = ${quoteLiteral(relation)} and relid ${relationOid === null ? 'is null' : `= ${relationOid}`}`;
  return table === null ? itself : `relid = ${table.oid} or relation = ${quoteLiteral(table.name)} or ${itself}`;
}

/** Runs the plans' statements in one transaction: all tables or none. @throws OperatorError where PostgreSQL refuses, saying what to do */
export async function applyCapture(client: ClientBase, plans: readonly CapturePlan[]): Promise<void> {
  const all = plans.flatMap(({ sql }) => sql);
  if (all.length === 0) return;
  const apply = async (): Promise<void> => {
    // Triggers need a brief exclusive lock; behind a long transaction we give up rather than make every other query of the table queue.
    await client.query("set local lock_timeout = '5s'");
    // Conditions are understood as this role understands them; everything else is qualified.
    for (const text of all) await client.query(alongPath('callers', { text }));
  };
  await transaction(client, 'begin', apply).catch((error: unknown) => {
    throw refusal(error);
  });
}

function refusal(error: unknown): unknown {
  const { code } = error as { code?: string };
  if (code === '55P03') {
    return new OperatorError(
      'a table is locked by another transaction, and nothing was changed',
      'Run it again when that transaction has ended.',
      ExitCode.error,
      { cause: error },
    );
  }
  if (code === '42501') {
    return new OperatorError(
      `capture apply needs a role that owns the tables and may create functions in the schema observers: ${messageOf(error)}`,
      'Run it as the owner of the tables; it needs nothing else: grant usage, create on schema observers, and insert, update, delete on observers.captured_table. Where it cannot give the functions to observers_capture, it needs what that role has: fraiseql-observers roles plan prints it.',
      ExitCode.configuration,
      { cause: error },
    );
  }
  return error;
}

/**
 * Has the database parse the conditions of these captures, as whoever applies them. Changes nothing.
 *
 * @throws OperatorError with what the database says of one that it cannot read
 */
export async function checkConditions(client: ClientBase, captures: readonly CaptureDefinition[]): Promise<void> {
  const found = (await unreadableConditions(client, captures)).find((error) => error !== null);
  if (found !== undefined) throw found;
}

/** As many as captures, in their order: what the database says of the condition; null where it reads it, or there is none. */
export async function unreadableConditions(client: ClientBase, captures: readonly CaptureDefinition[]): Promise<(OperatorError | null)[]> {
  const tables = await readTables(client, captures.map(({ table }) => table)); // prettier-ignore
  const errors: (OperatorError | null)[] = [];
  for (const [index, { when }] of captures.entries()) {
    const table = tables[index] ?? null;
    errors.push(when === null || table === null ? null : await unreadable(client, when, table));
  }
  return errors;
}

function unreadable(client: ClientBase, when: string, table: TableInfo): Promise<OperatorError | null> {
  return rolledBack(client, 'begin', async () => {
    try {
      for (const text of whenFunction('check', when, table).check) await client.query(alongPath('callers', { text }));
      return null;
    } catch (error) {
      return new OperatorError(
        `capture of ${table.name}: the database cannot read its condition: ${messageOf(error)}`,
        `Correct when: (${when.trim()}). It is SQL over the columns of the row, by their bare names: ${table.columns.map(({ name }) => quoteIdentifier(name)).join(', ')}.`,
        ExitCode.configuration,
        { cause: error },
      );
    }
  });
}

/** Statements that end the capture of a table; what is already in the log stays. @throws OperatorError when it is not captured */
export async function planRemoval(client: ClientBase, name: string): Promise<string[]> {
  const [records, triggers, [found = null]] = [await readRecords(client), await readTriggers(client), await readTables(client, [name])];
  // By the name that the captured table has now, or had; another one may have that name meanwhile.
  const printed = printedName(name);
  const record =
    records.find(({ relationOid }) => found !== null && relationOid === found.oid) ??
    records.find(({ relation }) => relation === found?.name || relation === printed || relation === name);
  if (record === undefined) {
    const known = records.map(({ nowCalled, relation }) => nowCalled ?? relation).join(', ') || 'none';
    throw new OperatorError(`${found?.name ?? name} is not captured`, `Captured tables: ${known}.`, ExitCode.notFound);
  }
  const [captured = null] = record.nowCalled === null ? [] : await readTables(client, [record.nowCalled]);
  const table = record.relationOid === null ? found : captured;
  const others = functionsOfOthers(records, record);
  // A table that became a partition of another captured one has that one's triggers.
  const all = triggersAround(table, [record.functions], { triggers, planned: new Set() });
  const theirs = new Set(all.filter((one) => others.some((other) => serves(one, other))).map(({ relationOid }) => relationOid));
  const ours = all.filter((one) => !theirs.has(one.relationOid) || serves(one, record.functions));
  const functions = record.functions ?? '';
  const { rows } = await client.query<{ name: string }>(FUNCTIONS, [functions]);
  const known = new Set(ours.map((trigger) => trigger.function));
  const rest = rows.filter(({ name: made }) => !known.has(made)).map(({ name: made }) => `drop function if exists ${made}()`);
  return [...removal({ record, triggers: ours, functions, others, table: null }), ...rest];
}

const FUNCTIONS = `
  select format('observers.%I', proname) as name from pg_proc
  where pronamespace = 'observers'::regnamespace and $1 <> '' and starts_with(proname::text, $1 || '_') and prorettype = 'trigger'::regtype`;
