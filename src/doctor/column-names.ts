import type { ClientBase } from 'pg';
import { checkColumns, type ColumnFindings } from '../config/column-check';
import type { ObserversFile } from '../config/load';
import { readTables } from '../change-log/capture/catalog';

/** Which of the columns that the file names the database does not have. Changes nothing, and needs no right but to connect. */
export async function examineColumns(client: ClientBase, { columns, definition }: ObserversFile): Promise<ColumnFindings> {
  const names = definition.captures.map(({ table }) => table);
  const found = await readTables(client, names);
  const tables = new Map(names.map((table, index) => [table, found[index]?.columns.map(({ name }) => name) ?? null]));
  return checkColumns(columns, definition.captures, tables);
}
