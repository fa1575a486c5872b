import type { ClientBase } from 'pg';
import { readTables } from '../change-log/capture/catalog';
import { settleDrift, type DriftOptions } from '../change-log/capture/drift';
import { checkColumns, type ColumnFindings } from '../config/column-check';
import type { ObserversFile } from '../config/load';
import { describeProblem } from '../config/problems';
import { connect } from '../database/postgres';
import { messageOf } from '../event/errors';

/** Before a file is worked by, on one connection: its `capture:` is compared with the triggers. @returns what its owner should know */
export async function settleFile(url: string, file: ObserversFile, options: DriftOptions): Promise<string[]> {
  const client = await connect(url, 'capture');
  try {
    await settleDrift(client, file.definition.captures, options);
    return await warningsOf(client, file);
  } finally {
    await client.end();
  }
}

/**
 * What a person should know of a file before events meet it, a sentence each: its own warnings, and the columns that it names and the
 * database does not have. A service starts all the same: one observer that is wrong does not stop the others.
 */
async function warningsOf(client: ClientBase, file: ObserversFile): Promise<string[]> {
  return [...file.warnings.map(describeProblem), ...(await columnWarnings(client, file))];
}

async function columnWarnings(client: ClientBase, file: ObserversFile): Promise<string[]> {
  try {
    const { errors, warnings } = await examineColumns(client, file);
    return [
      ...errors.map((problem) => `${describeProblem(problem)} (strict_templates: its deliveries will fail)`),
      ...warnings.map(describeProblem),
    ];
  } catch (error) {
    return [`the columns that the observers file names could not be compared with the database: ${messageOf(error)}`];
  }
}

/** Which of the columns that the file names the database does not have. Changes nothing, and needs no right but to connect. */
export async function examineColumns(client: ClientBase, { columns, definition }: ObserversFile): Promise<ColumnFindings> {
  const names = definition.captures.map(({ table }) => table);
  const found = await readTables(client, names);
  const tables = new Map(names.map((table, index) => [table, found[index]?.columns.map(({ name }) => name) ?? null]));
  return checkColumns(columns, definition.captures, tables);
}
