import { quoteLiteral } from '../database/names';
import type { RowFunctions } from '../change-log/capture/row-functions';
import { fromRow } from '../change-log/capture/row-sql';
import type { KeyOrder } from './key-order';

// No column is called this: its name means the whole row.
const ALIAS = '$a row, by fraiseql-observers';
const ROW = fromRow(ALIAS);
const FROM = `"${ALIAS}"`;

/** What is read of. */
export interface ReadTable {
  /** Quoted, qualified, as it stands behind FROM: what inherits from it is not of it. */
  readonly name: string;
  readonly entity: string;
  /** Type of the log's images. */
  readonly document: 'json' | 'jsonb';
  /** Of its capture: what a row is recorded as (masks, exclusions, key, tenant), and whether it is, are the same. */
  readonly functions: RowFunctions;
}

/**
 * The statements that read a captured table for a backfill. They run as whoever runs it, who may be a superuser, so nothing of the table's owner
 * stands in them: casts, conditions and checks of domains run in the functions of the capture alone. Every name is qualified, for the condition of
 * the person who asks is understood by that person's own search_path.
 */
export class RowSource {
  /** @param where SQL over the row's columns; null: all rows */
  constructor(
    private readonly table: ReadTable,
    private readonly order: KeyOrder,
    private readonly where: string | null,
  ) {}

  private get name(): string {
    return this.table.name;
  }

  /** Values of the keys, in order. Parameters: how many, and where `behind` the values of the last row that is done. */
  keys(behind: boolean): string {
    const conditions = [...(behind ? [this.order.behind(ROW, 2)] : []), ...this.wanted()];
    return `select ${this.order.texts(ROW)} from ${this.name} ${FROM}${all(conditions)} order by ${this.order.by(ROW)} limit $1`;
  }

  /**
   * Where the rows are that have these keys. `for share`: it waits for whoever is writing to a row, and then finds what that one has
   * committed, whose change has a smaller number; whoever comes later waits, and gets a larger one. Parameters: the values of the keys, row by row.
   */
  lock(rows: number): string {
    return `select ${FROM}.ctid::pg_catalog.text as place, ${FROM}.tableoid::pg_catalog.text as relation from ${this.name} ${FROM} where ${this.order.among(ROW, rows)} for share of ${FROM}`;
  }

  /**
   * What the rows are recorded as, in order, as hexadecimal digits, for a text may hold what no client can be told. Only together: nothing where
   * they have more bytes. Parameters: where they are (ctid and tableoid, a list each), whether to make all of each or its key, and how many bytes.
   */
  get images(): string {
    const places = `${FROM}.ctid operator(pg_catalog.=) any ($1::pg_catalog.tid[])`;
    const ours = `exists (select from rows from (pg_catalog.unnest($1::pg_catalog.tid[]), pg_catalog.unnest($2::pg_catalog.oid[])) "$k"(place, relation)
    where "$k".place operator(pg_catalog.=) ${FROM}.ctid and "$k".relation operator(pg_catalog.=) ${FROM}.tableoid)`;
    const hex = (column: string): string =>
      `pg_catalog.encode(pg_catalog.convert_to("$r"."${column}"::pg_catalog.text, pg_catalog.getdatabaseencoding()), 'hex')`;
    return `with "$r" as materialized (${this.made([places, ours], '', '$3')})
select "$b".bytes::pg_catalog.float8, "$r".i is not null, ${hex('$key')}, "$r"."$id", ${hex('$data')}, "$r"."$tenant"
from (select pg_catalog.sum(pg_catalog.octet_length("$r"."$data"::pg_catalog.text)) as bytes from "$r") "$b"
left join "$r" on "$b".bytes operator(pg_catalog.<=) $4::pg_catalog.int8 or "$b".bytes is null order by "$r".i`;
  }

  /** Nothing of the table's owner is in it. Parameters: extra_metadata, and what `images` gave, a list for each column. */
  get record(): string {
    const text = (digits: string): string =>
      `pg_catalog.convert_from(pg_catalog.decode(${digits}, 'hex'), pg_catalog.getdatabaseencoding())`;
    const lists = ['text', 'uuid', 'text', 'uuid'].map((type, i) => `pg_catalog.unnest($${i + 2}::pg_catalog.${type}[])`);
    return `insert into core.tb_entity_change_log (object_type, modification_type, object_key, object_id, object_data, tenant_id, extra_metadata)
select ${quoteLiteral(this.table.entity)}, 'BACKFILL', ${text('"$r".key')}, "$r".id, ${text('"$r".data')}::pg_catalog.${this.table.document}, "$r".tenant, $1::pg_catalog.jsonb
from rows from (${lists.join(', ')}) with ordinality "$r"(key, id, data, tenant, i) order by "$r".i`;
  }

  get count(): string {
    return `select pg_catalog.count(*)::pg_catalog.float8 as count from ${this.name} ${FROM}${all(this.wanted())}`;
  }

  /** Condition of the rows that have no place in the order, and are left out; null: there are none. */
  get unplaced(): string | null {
    const unplaced = this.order.unplaced(ROW);
    return unplaced === null
      ? null
      : `select pg_catalog.count(*)::pg_catalog.float8 as count from ${this.name} ${FROM}${all([unplaced, ...this.asked()])}`;
  }

  /** The first rows as they would be recorded. Parameter: how many. */
  get sample(): string {
    const texts = ['$key', '$data', '$tenant'].map((column) => `"$r"."${column}"::pg_catalog.text`);
    return `select ${texts.join(', ')} from (${this.made([], ' limit $1', 'true')}) "$r" order by "$r".i`;
  }

  /** Rows as their capture records them. The rows are chosen first: making an image is dear. */
  private made(conditions: readonly string[], limit: string, whole: string): string {
    return `select "$i".*, "$q".i from (
  select ${FROM} as r, pg_catalog.row_number() over (order by ${this.order.by(ROW)}) as i from ${this.name} ${FROM}${all([...conditions, ...this.wanted()])} order by i${limit}
) "$q" cross join lateral ${this.table.functions.image}("$q".r, ${whole}) "$i"`;
  }

  /** Statements that the database refuses where the condition is no condition over a row: one expression, and neither more nor less. */
  get checks(): string[] {
    return this.where === null
      ? []
      : [
          `select from ${this.name} ${FROM} where (\n${this.where}\n) limit 0`,
          `select case when\n${this.where}\nthen true else false end from ${this.name} ${FROM} limit 0`,
        ];
  }

  private wanted(): string[] {
    const unplaced = this.order.unplaced(ROW);
    return [...(unplaced === null ? [] : [`not ${unplaced}`]), ...this.asked()];
  }

  private asked(): string[] {
    const { kept } = this.table.functions;
    // On lines of its own: it may end in a comment.
    return [...(kept === null ? [] : [`${kept}(${ROW.whole})`]), ...(this.where === null ? [] : [`(\n${this.where}\n)`])];
  }
}

function all(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
}
