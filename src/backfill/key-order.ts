import type { ClientBase } from 'pg';
import type { RowName } from '../change-log/capture/row-sql';

/** A column of those in whose order a table is gone through. */
export interface KeyColumn {
  readonly name: string;
  /**
   * Qualified, for a cast. Of a domain the type below it: becoming one of a domain calls its CHECK, which is its owner's. Not format_type:
   * `character` would cut a value to one letter.
   */
  readonly type: string;
  /** A value of the type has parts of a domain, and cannot be made without calling its CHECK. */
  readonly holdsDomain: boolean;
  readonly isDomain: boolean;
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
  ), part as (
    select b.i, b.type, false as inside from base b join pg_catalog.pg_type t on t.oid = b.type where t.typtype <> 'd'
    union
    select p.i, x.type, true from part p join pg_catalog.pg_type t on t.oid = p.type
    cross join lateral (
      select t.typelem as type where t.typelem <> 0
      union all select t.typbasetype where t.typtype = 'd'
      union all select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid or r.rngmultitypid = t.oid
      union all select a.atttypid from pg_catalog.pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) x
  )
  select w.attname::text as name, format('%I.%I', tn.nspname, t.typname) as type, not w.attnotnull as nullable, t.oid <> w.atttypid as "isDomain",
    exists (select from part p join pg_catalog.pg_type pt on pt.oid = p.type where p.i = w.i and p.inside and pt.typtype = 'd') as "holdsDomain",
    coalesce((select format('%I', n.nspname) from base b
      join pg_catalog.pg_opclass c on c.opcintype = b.type and c.opcdefault
      join pg_catalog.pg_am m on m.oid = c.opcmethod and m.amname = 'btree'
      join pg_catalog.pg_amop o on o.amopfamily = c.opcfamily and o.amoplefttype = c.opcintype and o.amoprighttype = c.opcintype and o.amopstrategy = 5
      join pg_catalog.pg_operator p on p.oid = o.amopopr join pg_catalog.pg_namespace n on n.oid = p.oprnamespace
      where b.i = w.i limit 1), 'pg_catalog') as operators
  from wanted w join base b on b.i = w.i join pg_catalog.pg_type t on t.oid = b.type and t.typtype <> 'd'
  join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace order by w.i`;

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
    const parts = this.columns.map((column, i) => ({ value: compared(column, row), bound: `$${first + i}::${column.type}`, operators: column.operators })); // prettier-ignore
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

  /**
   * SQL: whether a row has one of so many keys, whose values are, key by key, in the parameters. Each is a parameter of its type, which the
   * type's own input makes: a cast from text may be anybody's function.
   */
  among(row: RowName, keys: number): string {
    const { length } = this.columns;
    const lines = Array.from(
      { length: keys },
      (_, k) => `(${this.columns.map(({ type }, i) => `$${k * length + i + 1}::${type}`).join(', ')})`,
    );
    const names = this.columns.map((_, i) => `k${i}`).join(', ');
    const equal = this.columns.map((column, i) => `${compared(column, row)} operator(${column.operators}.=) "$k".k${i}`);
    return `exists (select from (values ${lines.join(', ')}) "$k"(${names}) where ${equal.join(' and ')})`;
  }
}

/** The value below a domain, or an operator that somebody made for the domain would be taken. */
function compared({ name, type, isDomain }: KeyColumn, row: RowName): string {
  return isDomain ? `(${row.column(name)})::${type}` : row.column(name);
}
