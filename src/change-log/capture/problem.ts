import type { CaptureDefinition } from '../../event/definitions';
import { quoteIdentifier } from '../../database/names';
import type { TableInfo } from './catalog';
import { tooManyColumns } from './when-sql';

/** Why a table cannot be captured as the observers file says, and what to do; null when it can. */
export function problemWith(capture: CaptureDefinition, table: TableInfo | null): string | null {
  if (table === null) return 'there is no such table: correct the name under capture: (schema.table), or create the table';
  if (!['r', 'p'].includes(table.kind)) {
    return 'it is not an ordinary or partitioned table: capture the tables behind a view; a foreign table cannot be captured';
  }
  const columns = new Map(table.columns.map((column) => [column.name, column]));
  const named = [capture.key ?? [], capture.include ?? [], capture.exclude, Object.keys(capture.mask), capture.tenant ?? []].flat();
  const unknown = named.find((name) => !columns.has(name));
  if (unknown !== undefined) {
    return `it has no column ${quoteIdentifier(unknown)}: its columns are ${[...columns.keys()].map(quoteIdentifier).join(', ')}`;
  }
  if ((capture.key ?? table.primaryKey).length === 0)
    return 'it has no primary key: name the columns that identify a row (key: [column, …])';
  const tenant = capture.tenant === null ? undefined : columns.get(capture.tenant);
  if (tenant !== undefined && tenant.type !== 'uuid') {
    return `the tenant column ${quoteIdentifier(tenant.name)} is ${tenant.type}, and tenants are uuid: leave tenant out; the column is in the data all the same`;
  }
  return capture.when === null ? null : tooManyColumns(capture.when, table);
}
