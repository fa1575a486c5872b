import type { CaptureDefinition } from '../../event/definitions';
import { quoteIdentifier } from '../../database/names';
import type { TableInfo } from './catalog';
import { tooManyColumns } from './when-sql';

const [OURS, LOG] = ['observers', 'core.tb_entity_change_log'];

/** What another table of the file captures. */
export interface Taken {
  /** Quoted and schema-qualified. */
  readonly table: string;
  readonly entity: string;
}

/**
 * Why a table cannot be captured as the observers file says, and what to do; null when it can.
 *
 * @param taken relations that tables before it in the file have, by their oids
 */
export function problemWith(capture: CaptureDefinition, table: TableInfo | null, taken: ReadonlyMap<number, Taken>): string | null {
  if (table === null) return 'there is no such table: correct the name under capture: (schema.table), or create the table';
  if (!['r', 'p'].includes(table.kind)) {
    return 'it is not an ordinary or partitioned table: capture the tables behind a view; a foreign table cannot be captured';
  }
  // What is recorded of it would be recorded again, for ever.
  if (table.name === LOG || table.name.startsWith(`${OURS}.`)) return 'it is a table of this program, which records in it: take it out';
  const twice = table.relations.find(({ oid }) => taken.has(oid));
  const other = twice === undefined ? undefined : taken.get(twice.oid);
  if (twice !== undefined && other !== undefined) {
    return `what is written to ${twice.name} is recorded as ${other.entity} already, by the capture of ${other.table} above: name one of the two`;
  }
  const foreign = table.relations.find(({ kind }) => kind === 'f');
  if (foreign !== undefined) {
    return `its partition ${foreign.name} is a foreign table: PostgreSQL collects no rows of it for triggers, and lets writes fail where one asks for them; detach it, or capture the other partitions by themselves`;
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
