import { quoteLiteral } from '../../database/names';
import { condition, fieldsOf, type FunctionParts } from '../capture/records-sql';
import { fromRow } from '../capture/row-sql';
import type { KeyOrder } from './key-order';

const ROW = fromRow('$t');

/**
 * The statements that read a captured table for a backfill. What a row is recorded as is made of the expressions of its capture: masks,
 * exclusions, key, tenant and `when` are the same. Every name is qualified, for the condition of the person who asks is understood by that
 * person's own search_path.
 */
export class RowSource {
  /** @param where SQL over the row's columns; null: all rows */
  constructor(
    private readonly parts: FunctionParts,
    private readonly order: KeyOrder,
    private readonly where: string | null,
  ) {}

  private get name(): string {
    return this.parts.table.name;
  }

  /** Values of the keys, in order. Parameters: how many, and where `behind` the values of the last row that is done. */
  keys(behind: boolean): string {
    const conditions = [...(behind ? [this.order.behind(ROW, 2)] : []), ...this.wanted()];
    return `select ${this.order.texts(ROW)} from ${this.name} "$t"${all(conditions)} order by ${this.order.by(ROW)} limit $1`;
  }

  /**
   * Writes the rows of one chunk into the log. `for share`: it waits for whoever is writing to a row, and then reads what that one has
   * committed, whose change has a smaller number; whoever comes later waits, and gets a larger one. The numbers are given out behind the lock.
   * Parameters: extra_metadata, and the keys of the rows, a list for each column.
   */
  get record(): string {
    const fields = fieldsOf(this.parts, 'insert', { before: null, after: ROW });
    return this.insert(
      fields.map(({ column }) => column),
      fields.map(({ expression }) => expression),
    );
  }

  /** The same of a row that cannot be written whole: its key, and in extra_metadata why. */
  get recordKey(): string {
    return this.insert(['object_key'], [this.parts.row.keyOf(ROW)]);
  }

  private insert(columns: readonly string[], values: readonly string[]): string {
    return `insert into core.tb_entity_change_log (object_type, modification_type, ${columns.join(', ')}, extra_metadata)
select ${quoteLiteral(this.parts.capture.entity)}, 'BACKFILL', ${values.join(', ')}, $1::pg_catalog.jsonb
from ${this.name} "$t"${all([this.order.among(ROW, 2), ...this.wanted()])} order by ${this.order.by(ROW)} for share of "$t"`;
  }

  get count(): string {
    return `select pg_catalog.count(*)::pg_catalog.float8 as count from ${this.name} "$t"${all(this.wanted())}`;
  }

  /** Of the rows that have no place in the order, and are left out; null: there are none. */
  get unplaced(): string | null {
    const unplaced = this.order.unplaced(ROW);
    return unplaced === null
      ? null
      : `select pg_catalog.count(*)::pg_catalog.float8 as count from ${this.name} "$t"${all([unplaced, ...this.asked()])}`;
  }

  /** The first rows as they would be recorded. Parameter: how many. */
  get sample(): string {
    const fields = new Map(
      fieldsOf(this.parts, 'insert', { before: null, after: ROW }).map(({ column, expression }) => [column, expression]),
    );
    const text = (column: string): string => `(${fields.get(column) ?? 'null'})::pg_catalog.text`;
    return `select ${['object_key', 'object_data', 'tenant_id'].map(text).join(', ')} from ${this.name} "$t"${all(this.wanted())}
order by ${this.order.by(ROW)} limit $1`;
  }

  /** Statements that the database refuses where the condition is no condition over a row: one expression, and neither more nor less. */
  get checks(): string[] {
    return this.where === null
      ? []
      : [
          `select from ${this.name} "$t" where (\n${this.where}\n) limit 0`,
          `select case when\n${this.where}\nthen true else false end from ${this.name} "$t" limit 0`,
        ];
  }

  private wanted(): string[] {
    const unplaced = this.order.unplaced(ROW);
    return [...(unplaced === null ? [] : [`not ${unplaced}`]), ...this.asked()];
  }

  private asked(): string[] {
    const captured = condition(this.parts, ROW);
    // On lines of its own: it may end in a comment.
    return [...(captured === null ? [] : [captured]), ...(this.where === null ? [] : [`(\n${this.where}\n)`])];
  }
}

function all(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
}
