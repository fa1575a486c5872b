import type { ClientBase } from 'pg';
import { checkColumns, type ColumnFindings } from '../config/column-check';
import type { ObserversFile } from '../config/load';
import { readTable } from '../listener/capture/catalog';

/** Which of the columns that the file names the database does not have. Changes nothing, and needs no right but to connect. */
export async function examineColumns(client: ClientBase, { columns, definition }: ObserversFile): Promise<ColumnFindings> {
  const tables = new Map<string, readonly string[] | null>();
  for (const { table } of definition.captures) {
    const found = await readTable(client, table);
    tables.set(table, found === null ? null : found.columns.map(({ name }) => name));
  }
  return checkColumns(columns, definition.captures, tables);
}
