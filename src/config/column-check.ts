import type { CaptureDefinition } from '../event/definitions';
import type { ColumnMention, ColumnMentions, MentioningObserver } from './column-mentions';
import { didYouMean, type Problem } from './problems';

/** By the name of a captured table as the file has it; null where there is no such table. */
export type ColumnsByTable = ReadonlyMap<string, readonly string[] | null>;

/** What the file names and the database does not have. */
export interface ColumnFindings {
  /** Paths of templates that are strict. */
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Compares the columns that the file names with those of the tables that it captures. A text for several entities may name a column of any
 * of them; where one of them is not captured by this file, nothing can be said.
 */
export function checkColumns(named: ColumnMentions, captures: readonly CaptureDefinition[], tables: ColumnsByTable): ColumnFindings {
  const found = { errors: new Map<string, Problem>(), warnings: new Map<string, Problem>() };
  const add = (problem: Problem, isError = false): void => {
    const { line, column, path, message } = problem;
    (isError ? found.errors : found.warnings).set(`${line}:${column} ${path} ${message}`, problem);
  };
  for (const { table, tell } of named.tables) if (tables.get(table) === null) add(tell(`there is no table ${table} in the database`));
  for (const { table, name, tell } of named.captured) {
    const columns = tables.get(table);
    if (columns != null && !columns.includes(name)) add(tell(`${table} has no column "${name}"${didYouMean(name, columns)}`));
  }
  for (const mention of named.mentions) {
    for (const observer of mention.observers) {
      const message = objectionTo(mention, observer, captures, tables);
      if (message !== null) add(mention.tell(message), mention.template && observer.strictTemplates);
    }
  }
  for (const place of found.errors.keys()) found.warnings.delete(place);
  return { errors: inOrder(found.errors), warnings: inOrder(found.warnings) };
}

function inOrder(problems: ReadonlyMap<string, Problem>): Problem[] {
  return [...problems.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function objectionTo(
  mention: ColumnMention,
  { entities }: MentioningObserver,
  captures: readonly CaptureDefinition[],
  tables: ColumnsByTable,
): string | null {
  const { name, use } = mention;
  const its = captures.filter(({ entity }) => entities === '*' || entities.includes(entity));
  const covered = entities === '*' ? its.length > 0 : entities.every((entity) => its.some((capture) => capture.entity === entity));
  // A table that is not there is told where it is captured.
  if (!covered || its.some(({ table }) => tables.get(table) == null)) return null;
  const having = its.filter(({ table }) => tables.get(table)?.includes(name));
  if (having.length === 0) return unknownTo(mention, entities, its, tables);
  const hidden = having.map((capture) => hiddenBy(capture, name, use));
  const [first] = hidden;
  return hidden.every((why) => why !== null) ? `"${name}" is not in the change log: ${first}` : null;
}

function unknownTo(
  { name, use }: ColumnMention,
  entities: readonly string[] | '*',
  captures: readonly CaptureDefinition[],
  tables: ColumnsByTable,
): string {
  const visible = (capture: CaptureDefinition): string[] =>
    (tables.get(capture.table) ?? []).filter((column) => hiddenBy(capture, column, use) === null);
  const nearest = didYouMean(name, captures.flatMap(visible));
  if (entities === '*') return `no captured table has a column "${name}"${nearest}`;
  return entities.length === 1
    ? `${entities[0]} has no column "${name}"${nearest}`
    : `none of ${entities.join(', ')} has a column "${name}"${nearest}`;
}

/** Null: observers see it. */
function hiddenBy({ table, include, exclude, mask }: CaptureDefinition, name: string, use: ColumnMention['use']): string | null {
  if (exclude.includes(name)) return `the capture of ${table} excludes it`;
  if (include !== null && !include.includes(name)) return `the capture of ${table} does not include it`;
  if (mask[name] !== 'drop' || use === 'change') return null;
  return `the capture of ${table} masks it (drop), and only whether it has changed is known`;
}
