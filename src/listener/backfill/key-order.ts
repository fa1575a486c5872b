import type { ClientBase } from 'pg';
import type { RowName } from '../capture/row-sql';

/** A column of those in whose order a table is gone through. */
export interface KeyColumn {
  readonly name: string;
  /** Qualified, for a cast. Not format_type: `character` would cut a value to one letter. */
  readonly type: string;
  /** Schema of the operators that its order is made of, quoted. */
  readonly operators: string;
  readonly nullable: boolean;
}

// Comparing must be the very order that ORDER BY has: that of the type's own operators, whatever the search_path is.
const COLUMNS = `
  with recursive wanted as (
    select a.attnotnull, a.attname, a.atttypid, w.i from unnest($2::text[]) with ordinality as w(name, i)
    join pg_catalog.pg_attribute a on a.attrelid = $1::oid and a.attname = w.name::name and a.attnum > 0 and not a.attisdropped
  ), base as (
    select w.i, w.atttypid as type from wanted w
    union all
    select b.i, t.typbasetype from base b join pg_catalog.pg_type t on t.oid = b.type where t.typtype = 'd'
  )
  select w.attname::text as name, format('%I.%I', tn.nspname, t.typname) as type, not w.attnotnull as nullable,
    coalesce((select format('%I', n.nspname) from base b
      join pg_catalog.pg_opclass c on c.opcintype = b.type and c.opcdefault
      join pg_catalog.pg_am m on m.oid = c.opcmethod and m.amname = 'btree'
      join pg_catalog.pg_amop o on o.amopfamily = c.opcfamily and o.amoplefttype = c.opcintype and o.amoprighttype = c.opcintype and o.amopstrategy = 5
      join pg_catalog.pg_operator p on p.oid = o.amopopr join pg_catalog.pg_namespace n on n.oid = p.oprnamespace
      where b.i = w.i limit 1), 'pg_catalog') as operators
  from wanted w join pg_catalog.pg_type t on t.oid = w.atttypid join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace order by w.i`;

/** The order in which the rows of a table are gone through: that of some of its columns. */
export class KeyOrder {
  private constructor(readonly columns: readonly KeyColumn[]) {}

  static async of(client: ClientBase, table: number, names: readonly string[]): Promise<KeyOrder> {
    const { rows } = await client.query<KeyColumn>(COLUMNS, [table, names]);
    return new KeyOrder(rows);
  }

  get names(): string[] {
    return this.columns.map(({ name }) => name);
  }

  /** Values as text, by the type's own output: a cast to text may be anybody's function. */
  texts(row: RowName): string {
    return this.columns.map(({ name }) => `pg_catalog.format('%s', ${row.column(name)})`).join(', ');
  }

  by(row: RowName): string {
    return this.columns.map(({ name }) => row.column(name)).join(', ');
  }

  /** Rows that have no place in the order; null: there are none. */
  unplaced(row: RowName): string | null {
    const nullable = this.columns.filter((column) => column.nullable);
    return nullable.length === 0 ? null : `(${nullable.map(({ name }) => `${row.column(name)} is null`).join(' or ')})`;
  }

  /** SQL: whether a row comes behind the values in the parameters from `$first` on. */
  behind(row: RowName, first: number): string {
    const parts = this.columns.map(({ name, type, operators }, i) => ({ value: row.column(name), bound: `$${first + i}::${type}`, operators })); // prettier-ignore
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return `${only.value} operator(${only.operators}.>) ${only.bound}`;
    // An index on several columns answers a comparison of rows, and hardly anything else; it takes operators of one schema.
    if (new Set(parts.map(({ operators }) => operators)).size === 1) {
      const list = (of: 'value' | 'bound'): string => parts.map((part) => part[of]).join(', ');
      return `(${list('value')}) operator(${only?.operators}.>) (${list('bound')})`;
    }
    return parts.reduceRight((rest, { value, bound, operators }) => {
      const is = (operator: string): string => `${value} operator(${operators}.${operator}) ${bound}`;
      return rest === '' ? is('>') : `(${is('>=')} and (${is('>')} or (${rest})))`;
    }, '');
  }

  /** SQL: whether a row has one of the keys whose values are, column by column, in the lists in the parameters from `$first` on. */
  among(row: RowName, first: number): string {
    const lists = this.columns.map((_, i) => `pg_catalog.unnest($${first + i}::pg_catalog.text[])`).join(', ');
    const names = this.columns.map((_, i) => `k${i}`).join(', ');
    const equal = this.columns.map(({ name, type, operators }, i) => `${row.column(name)} operator(${operators}.=) "$k".k${i}::${type}`);
    return `exists (select from rows from (${lists}) "$k"(${names}) where ${equal.join(' and ')})`;
  }
}
