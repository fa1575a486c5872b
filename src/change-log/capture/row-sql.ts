import { quoteIdentifier, quoteLiteral } from '../../database/names';
import type { CaptureDefinition } from '../../event/definitions';
import type { ColumnInfo, TableInfo } from './catalog';

/** How a row of the table is named in SQL. */
export interface RowName {
  /** One of its columns. */
  readonly column: (name: string) => string;
  /** The whole row, as the argument of a function. */
  readonly whole: string;
}

/** A row of a FROM list. A name with a star is never taken for a column, whatever the table's columns are called. */
export const fromRow = (alias: string): RowName => ({
  column: (name) => `"${alias}".${quoteIdentifier(name)}`,
  whole: `"${alias}".*`,
});

/** A value that is a row, such as a column of a subquery. */
export const valueRow = (expression: string): RowName => ({
  column: (name) => `(${expression}).${quoteIdentifier(name)}`,
  whole: expression,
});

/** NEW or OLD of a row trigger. */
export const triggerRow = (record: 'new' | 'old'): RowName => ({
  column: (name) => `${record}.${quoteIdentifier(name)}`,
  whole: `${record}.*`,
});

// A collation of the column may take texts for equal that are not the same, and the log has them as they are.
const AS_WRITTEN = 'collate pg_catalog."C"';

/**
 * The expressions over one row of a captured table. Every function, operator and type is qualified: they run in the session of whoever
 * writes, under its search_path, and pinning that costs a writer 6 us.
 */
export class RowSql {
  readonly key: readonly ColumnInfo[];
  /** Whether something must not enter the log. */
  readonly hides: boolean;
  /**
   * Whether another shape of the table takes the long way: the image or what changed is a list of columns, or a column that is gone would be
   * taken for something else. Otherwise the image is the whole row, whatever its columns are, and a key that is gone is an error.
   */
  readonly listsColumns: boolean;
  private readonly visible: readonly ColumnInfo[];

  constructor(
    private readonly capture: CaptureDefinition,
    private readonly table: TableInfo,
  ) {
    this.key = (capture.key ?? table.primaryKey).flatMap((name) => table.columns.find((column) => column.name === name) ?? []);
    this.visible = table.columns.filter(({ name }) => (capture.include?.includes(name) ?? true) && !capture.exclude.includes(name));
    this.hides = capture.include !== null || capture.exclude.length > 0 || Object.keys(capture.mask).length > 0;
    const alone = [...this.key, ...table.columns.filter(({ name }) => name === capture.tenant)];
    this.listsColumns =
      this.hides || !capture.before || table.columns.some(({ virtual }) => virtual !== null) || alone.some(({ isFunction }) => isFunction);
  }

  keyOf(row: RowName): string {
    const columns = this.key.map((column) => this.valueOf(column, row));
    return columns.length === 1
      ? `(${columns[0]})::pg_catalog.text`
      : `pg_catalog.json_build_array(${columns.join(', ')})::pg_catalog.text`;
  }

  /** SQL: whether a row has the key that it had. Null where it had none, or has none. */
  keyStays(before: RowName, after: RowName): string {
    return `(${this.keyOf(before)}) ${AS_WRITTEN} operator(pg_catalog.=) (${this.keyOf(after)})`;
  }

  /** SQL: whether a row has another key than it had; never null. */
  keyDiffers(before: RowName, after: RowName): string {
    const [was, is] = [this.keyOf(before), this.keyOf(after)];
    return `coalesce((${was}) ${AS_WRITTEN} operator(pg_catalog.<>) (${is}), ((${was}) is null) operator(pg_catalog.<>) ((${is}) is null))`;
  }

  /** Whether a column is recorded as a text besides, or instead of, in JSON: the key, and what is hashed. */
  isText(name: string): boolean {
    return (this.key.length === 1 && this.key[0]?.name === name) || this.capture.mask[name] === 'hash';
  }

  get hasUuidKey(): boolean {
    return this.key.length === 1 && this.key[0]?.type === 'uuid';
  }

  uuidKeyOf(row: RowName): string {
    return this.key[0] === undefined ? 'null' : this.valueOf(this.key[0], row);
  }

  imageOf(row: RowName): string {
    if (!this.listsColumns) return `pg_catalog.row_to_json(${row.whole})`;
    const fields = this.visible.flatMap((column) => {
      const mask = this.capture.mask[column.name];
      if (mask === 'drop') return [];
      const value = this.valueOf(column, row);
      return [`${mask === 'hash' ? hashed(value) : value} as ${quoteIdentifier(column.name)}`];
    });
    return `(select pg_catalog.row_to_json("$x".*) from (select ${fields.join(', ')}) "$x")`;
  }

  /** Names of the columns that differ. Only where the images cannot tell: readers compare those. */
  changedBetween(before: RowName, after: RowName): string | null {
    if (!this.hides && this.capture.before) return null;
    const names = this.visible.map((column) => {
      const [o, n] = [this.valueOf(column, before), this.valueOf(column, after)];
      // Byte-wise where `=` is laxer than the text (numeric 1.0 and 1.00, citext), and for types that have no `=` at all, such as json.
      const differs = `pg_catalog.record_image_ne(row(${o}), row(${n}))`;
      return `case when ${differs} then ${quoteLiteral(column.name)} end`;
    });
    return `pg_catalog.array_remove(array[${names.join(', ')}]::pg_catalog.text[], null)`;
  }

  tenantOf(row: RowName): string | null {
    return this.capture.tenant === null ? null : this.valueNamed(this.capture.tenant, row);
  }

  valueNamed(name: string, row: RowName): string {
    const column = this.table.columns.find((candidate) => candidate.name === name);
    return column === undefined ? row.column(name) : this.valueOf(column, row);
  }

  /** A virtual generated column is null in the rows that triggers see, so its expression stands for it. */
  private valueOf({ name, virtual }: ColumnInfo, row: RowName): string {
    if (virtual === null) return row.column(name);
    const stored = this.table.columns.filter((column) => column.virtual === null);
    const columns = stored.map((column) => `${row.column(column.name)} as ${quoteIdentifier(column.name)}`).join(', ');
    return `(select ${virtual} from (select ${columns}) "$c")`;
  }
}

function hashed(expression: string): string {
  const salt = '(select "$s".salt from observers.mask_salt "$s")';
  return `pg_catalog.encode(pg_catalog.sha256(pg_catalog.byteacat(${salt}, pg_catalog.convert_to((${expression})::pg_catalog.text, 'UTF8'))), 'hex')`;
}
