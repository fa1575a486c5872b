import type { ClientBase, QueryArrayConfig } from 'pg';
import type { Cursor, Snapshot } from '../checkpoint/cursor';
import { BEYOND, CHECKED, IMAGES, OUTPUT, SIZED, TEXT_ONLY, type ChangeRow } from './change-row.sql';

/** Places in a page's first row. */
const [TARGET, FLOOR_NUMBER] = [18, 19];

export interface Page {
  readonly rows: readonly ChangeRow[];
  /** The snapshot that bounds the window. */
  readonly target: Snapshot;
  /** The least change number that may be new in this window, less one. */
  readonly floor: string;
  /** Whether the window ends with this page. */
  readonly last: boolean;
  /** Whether rows had to be left out for want of bytes. */
  readonly cut: boolean;
}

export interface PageLimits {
  readonly rows: number;
  /** Bytes of row images that one page may bring into memory; the first row comes in any case. */
  readonly bytes: number;
  /** Images of an event above this size are left in the database; its size is told. */
  readonly eventBytes: number;
  /** False: a row that must be read to be measured counts as too large. For one that takes PostgreSQL too long. */
  readonly measured?: boolean;
}

/** What a window's further pages know from its first. */
export type Floor = Page['floor'];

/** On the first row only, or alone when there are none. */
const once = (expression: string): string => `case when p.first is not false then ${expression} end`;

/**
 * Rows of the window \`after\`. A transaction was invisible in \`prev\` exactly when its xid is at least xmax(prev) or is in xip(prev).
 * - xid8cmp and not >=: the first must walk the primary key in order, never sort all new rows by way of the index on change_xid.
 * - the floor is the least number over change_xid >= xmax(prev), fenced so that this index answers it; a running maximum of the numbers
 *   seen would lose rows, because transactions already running may lie above xmax with lower numbers.
 */
const WINDOW = (visible: string): string => `
  select * from (
    (select c.* from pg_snapshot_xip($1::pg_snapshot) as x(xid)
       cross join lateral (${IMAGES} where change_xid = x.xid and pk_entity_change_log > $5 ${visible}
                           order by pk_entity_change_log limit $2) c)
    union all
    (${IMAGES} where pk_entity_change_log > greatest($5::bigint, (select number from floor))
       and xid8cmp(change_xid, pg_snapshot_xmax($1::pg_snapshot)) >= 0 ${visible}
     order by pk_entity_change_log limit $2)
  ) w order by pk_entity_change_log limit $2`;

const FLOOR = `
    select coalesce(min(pk) - 1, 9223372036854775807)
    from (select pk_entity_change_log as pk from core.tb_entity_change_log
          where change_xid >= pg_snapshot_xmax($1::pg_snapshot) offset 0) q`;

// pg_current_snapshot() inside a statement is that statement's own snapshot: what it sees is what is visible in the target, so the
// first page of a window comes with it in one round trip. Measured: it lifts the whole path from 0.8 to 1.0 of a bare loop.
const OPEN = `
  with floor as materialized (select (${FLOOR}) as number), head as materialized (select pg_current_snapshot() as target),
    page as materialized (${WINDOW('')}), sized as (${SIZED('$6::bool')})
  select ${OUTPUT}, ${once('h.target')}, ${once('(select number from floor)')} from head h left join (${CHECKED}) p on true order by p.pk_entity_change_log`;

// The floor looks at every new row of the window, 2 ms with a backlog of 40,000: once a window, not once a page.
const CONTINUE = `
  with floor as materialized (select coalesce($7::bigint, (${FLOOR})) as number), page as materialized (${WINDOW('and pg_visible_in_snapshot(change_xid, $6::pg_snapshot)')}), sized as (${SIZED('$8::bool')})
  select ${OUTPUT}, ${once('$6::text')}, ${once('(select number from floor)')} from (${CHECKED}) p order by p.pk_entity_change_log`;

/**
 * Reads the next page after the cursor. Runs alone in its transaction, at READ COMMITTED, or its snapshot would be an older one.
 *
 * @param floor of the window that the cursor is in, or null when this process did not open it
 */
export async function readPage(client: ClientBase, cursor: Cursor, limits: PageLimits, floor: Floor | null): Promise<Page> {
  const { measured = true } = limits;
  const values: unknown[] = [cursor.previous, limits.rows, limits.bytes, limits.eventBytes, cursor.after];
  const query: QueryArrayConfig =
    cursor.target === null
      ? { name: 'change-log-open', text: OPEN, values: [...values, measured], rowMode: 'array', types: TEXT_ONLY }
      : {
          name: 'change-log-continue',
          text: CONTINUE,
          values: [...values, cursor.target, floor, measured],
          rowMode: 'array',
          types: TEXT_ONLY,
        };
  const { rows } = await client.query<ChangeRow>(query);
  const [first] = rows;
  const window = { target: first?.[TARGET] ?? cursor.target ?? '', floor: first?.[FLOOR_NUMBER] ?? floor ?? '' };
  if (first === undefined || (first[0] as string | null) === null) return { rows: [], last: true, cut: false, ...window };
  const beyond = rows.findIndex((row) => row[BEYOND] !== null);
  if (beyond !== -1) return { rows: rows.slice(0, beyond), last: false, cut: true, ...window };
  return { rows, last: rows.length < limits.rows, cut: false, ...window };
}
