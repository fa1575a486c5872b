import type { ClientBase } from 'pg';
import { readTables } from '../change-log/capture/catalog';
import { checkColumns, type ColumnFindings } from '../config/column-check';
import type { ObserversFile } from '../config/load';
import { describeProblem } from '../config/problems';
import { connect } from '../database/postgres';
import { messageOf } from '../event/errors';

/**
 * What a person should know of a file before events meet it, a sentence each: its own warnings, and the columns that it names and the
 * database does not have. A service starts all the same: one observer that is wrong does not stop the others.
 */
export async function warningsOf(url: string, file: ObserversFile): Promise<string[]> {
  return [...file.warnings.map(describeProblem), ...(await columnWarnings(url, file))];
}

async function columnWarnings(url: string, file: ObserversFile): Promise<string[]> {
  try {
    const client = await connect(url, 'columns');
    try {
      const { errors, warnings } = await examineColumns(client, file);
      return [
        ...errors.map((problem) => `${describeProblem(problem)} (strict_templates: its deliveries will fail)`),
        ...warnings.map(describeProblem),
      ];
    } finally {
      await client.end();
    }
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
