import type { ClientBase, Pool, QueryArrayConfig } from 'pg';
import type { Cursor, Snapshot } from '../checkpoint/cursor';

/** One row of the change log as the decoder takes it; every field is PostgreSQL's text, or null. */
export type ChangeRow = readonly [
  changeNumber: string,
  id: string | null,
  /** Null, as the two below and the images are, when the row is too large to be read. */
  objectType: string | null,
  objectKey: string | null,
  modificationType: string | null,
  data: string | null,
  before: string | null,
  changed: string | null,
  tenant: string | null,
  timestamp: string,
  traceparent: string | null,
  tracestate: string | null,
  cause: string | null,
  captureError: string | null,
  /** Bytes of the row, when it is too large to be read. */
  bytes: string | null,
  /** Not null from the row on for which the page had no room. */
  beyond: string | null,
  /** Columns whose text cannot be converted to UTF-8: then nothing of the row is but its number, id and time. */
  unreadable: string | null,
  /** Which backfill wrote the row, and for whom. */
  backfill: string | null,
  /** The page's target, on its first row. */
  target?: Snapshot,
  floor?: string,
];
const [BEYOND, TARGET, FLOOR_NUMBER] = [15, 18, 19];

export interface Page {
  readonly rows: readonly ChangeRow[];
  /** The snapshot that bounds the window. */
  readonly target: Snapshot;
  /** The least change number that may be new in this window, less one. */
  readonly floor: string;
  /** Whether the window ends with this page. */
  readonly last: boolean;
}

export interface PageLimits {
  readonly rows: number;
  /** Bytes of row images that one page may bring into memory; the first row comes in any case. */
  readonly bytes: number;
  /** Images of an event above this size are left in the database; its size is told. */
  readonly eventBytes: number;
}

/** What a window's further pages know from its first. */
export type Floor = Page['floor'];

// Whatever a producer may fill counts: a name of 1 GB is as much as an image of 1 GB.
const STORED_SIZE = ['object_data', 'object_data_before', 'object_type', 'object_key', 'modification_type', 'updated_fields', 'trace_context', 'extra_metadata']
  .map((column) => `coalesce(pg_column_size(${column}), 0)`)
  .join(' + '); // prettier-ignore
const TEXT_SIZE = [
  ...['object_data', 'object_data_before', 'trace_context', 'extra_metadata'].map((column) => `observers.text_size(${column})`),
  ...['object_type', 'object_key', 'modification_type', "array_to_string(updated_fields, ',')"].map((column) => `octet_length(${column})`),
].map((size) => `coalesce(${size}, 0)`).join(' + '); // prettier-ignore

// The images are fetched for rows that fit the page's budget. pg_column_size reads the length of a compressed or out-of-line value
// without fetching it, so that a 100 MB row costs a look at its header; only suspicious ones are measured exactly (compression
// reaches 1:250 at the very best: 40 kB may be 10 MB).
const IMAGES = `
  select pk_entity_change_log, id, object_type, coalesce(object_key, object_id::text) as object_key, modification_type,
         object_data, object_data_before, updated_fields, tenant_id, created_at, trace_context, extra_metadata,
         ${STORED_SIZE} as stored
  from core.tb_entity_change_log`;

/** Nothing is read of a row that is too large, or for which the page has no room. */
const read = (expression: string): string => `case when fits and within then ${expression} end`;

/** What a row says in words, by the column that it says it in. */
const TEXTS = {
  object_type: read('p.object_type'),
  object_key: read('p.object_key'),
  modification_type: read('p.modification_type'),
  object_data: read('p.object_data::text'),
  object_data_before: read('p.object_data_before::text'),
  updated_fields: read('to_json(p.updated_fields)::text'),
  traceparent: read("p.trace_context ->> 'traceparent'"),
  tracestate: read("p.trace_context ->> 'tracestate'"),
  cause: read("p.trace_context ->> 'cause'"),
  capture_error: read("p.extra_metadata ->> 'capture_error'"),
  backfill: read("case when p.modification_type = 'BACKFILL' then p.extra_metadata ->> 'backfill' end"),
} as const;

const said = (column: keyof typeof TEXTS): string => `case when unreadable is null then ${TEXTS[column]} end`;

const OUTPUT = `
  p.pk_entity_change_log, p.id, ${said('object_type')}, ${said('object_key')}, ${said('modification_type')}, ${said('object_data')},
  ${said('object_data_before')}, ${said('updated_fields')}, p.tenant_id, p.created_at at time zone 'UTC', ${said('traceparent')},
  ${said('tracestate')}, ${said('cause')}, ${said('capture_error')}, case when not fits then bytes end, case when not within then 'beyond' end, unreadable,
  ${said('backfill')}`;

// A text that cannot be converted to UTF-8 fails the whole statement, and the stream would stand still for good: such rows are told by
// their columns instead. Where the database is UTF-8 there are none, and it is not asked. \`offset 0\`: once a row, not once a column.
const CHECKED = `
  select p.*, case when getdatabaseencoding() = 'UTF8' or observers.readable(concat_ws(' ', ${Object.values(TEXTS).join(', ')})) then null
    else concat_ws(', ', ${Object.entries(TEXTS)
      .map(([column, text]) => `case when not observers.readable(${text}) then '${column}' end`)
      .join(', ')}) end as unreadable
  from sized p offset 0`;

const SIZED = `
  select q.*, bytes <= $4 as fits, row_number() over numbered = 1 as first,
         row_number() over numbered = 1 or sum(least(bytes, $4)) over numbered <= $3 as within
  from (select q.*, case when stored > 40000
          then ${TEXT_SIZE}
          else stored end as bytes
        from page q offset 0) q
  window numbered as (order by pk_entity_change_log rows unbounded preceding)`;

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
    page as materialized (${WINDOW('')}), sized as (${SIZED})
  select ${OUTPUT}, ${once('h.target')}, ${once('(select number from floor)')} from head h left join (${CHECKED}) p on true order by p.pk_entity_change_log`;

// The floor looks at every new row of the window, 2 ms with a backlog of 40,000: once a window, not once a page.
const CONTINUE = `
  with floor as materialized (select coalesce($7::bigint, (${FLOOR})) as number), page as materialized (${WINDOW('and pg_visible_in_snapshot(change_xid, $6::pg_snapshot)')}), sized as (${SIZED})
  select ${OUTPUT}, ${once('$6::text')}, ${once('(select number from floor)')} from (${CHECKED}) p order by p.pk_entity_change_log`;

/**
 * Reads the next page after the cursor. Runs alone in its transaction, at READ COMMITTED, or its snapshot would be an older one.
 *
 * @param floor of the window that the cursor is in, or null when this process did not open it
 */
export async function readPage(client: ClientBase, cursor: Cursor, limits: PageLimits, floor: Floor | null): Promise<Page> {
  const values: unknown[] = [cursor.previous, limits.rows, limits.bytes, limits.eventBytes, cursor.after];
  const query: QueryArrayConfig =
    cursor.target === null
      ? { name: 'change-log-open', text: OPEN, values, rowMode: 'array', types: TEXT_ONLY }
      : { name: 'change-log-continue', text: CONTINUE, values: [...values, cursor.target, floor], rowMode: 'array', types: TEXT_ONLY };
  const { rows } = await client.query<ChangeRow>(query);
  const [first] = rows;
  const window = { target: first?.[TARGET] ?? cursor.target ?? '', floor: first?.[FLOOR_NUMBER] ?? floor ?? '' };
  if (first === undefined || (first[0] as string | null) === null) return { rows: [], last: true, ...window };
  const beyond = rows.findIndex((row) => row[BEYOND] !== null);
  return beyond === -1 ? { rows, last: rows.length < limits.rows, ...window } : { rows: rows.slice(0, beyond), last: false, ...window };
}

/** Reads changes by their numbers, for retries and redrives. */
export function readChanges(client: ClientBase | Pool, changeNumbers: readonly number[], eventBytes: number): Promise<ChangeRow[]> {
  return byNumber(client, changeNumbers, Number.MAX_SAFE_INTEGER, eventBytes);
}

/** The first of them, as far as their images fit `bytes`; at least one. */
export async function readChangesWithin(
  client: ClientBase | Pool,
  changeNumbers: readonly number[],
  { bytes, eventBytes }: Pick<PageLimits, 'bytes' | 'eventBytes'>,
): Promise<ChangeRow[]> {
  const rows = await byNumber(client, changeNumbers, bytes, eventBytes);
  const beyond = rows.findIndex((row) => row[BEYOND] !== null);
  return beyond === -1 ? rows : rows.slice(0, beyond);
}

async function byNumber(
  client: ClientBase | Pool,
  changeNumbers: readonly number[],
  bytes: number,
  eventBytes: number,
): Promise<ChangeRow[]> {
  const { rows } = await client.query<ChangeRow[] & unknown[]>({
    name: 'change-log-by-number',
    text: BY_NUMBER,
    values: [changeNumbers, null, bytes, eventBytes],
    rowMode: 'array',
    types: TEXT_ONLY,
  });
  return rows as unknown as ChangeRow[];
}

const BY_NUMBER = `
  with page as materialized (${IMAGES} where pk_entity_change_log = any ($1::bigint[]) limit $2), sized as (${SIZED})
  select ${OUTPUT} from (${CHECKED}) p order by p.pk_entity_change_log`;

const STORED = `
  with page as materialized (${IMAGES} where pk_entity_change_log > $1 and pk_entity_change_log <= $5 and change_xid is not null
      and created_at >= $6 order by pk_entity_change_log limit $2), sized as (${SIZED})
  select ${OUTPUT} from (${CHECKED}) p order by p.pk_entity_change_log`;

/** Stored changes, in the order of their numbers. Those from before this product watched a table are left out. */
export interface StoredRange {
  /** Change numbers: behind the first, up to the second. */
  readonly behind: number;
  readonly last: number;
  /** Written then or later, RFC 3339. */
  readonly since: string;
}

/** The next page of a range; empty behind its end. */
export async function readStored(client: ClientBase, { behind, last, since }: StoredRange, limits: PageLimits): Promise<ChangeRow[]> {
  const { rows } = await client.query<ChangeRow[] & unknown[]>({
    name: 'change-log-stored',
    text: STORED,
    values: [behind, limits.rows, limits.bytes, limits.eventBytes, last, since],
    rowMode: 'array',
    types: TEXT_ONLY,
  });
  const read = rows as unknown as ChangeRow[];
  const beyond = read.findIndex((row) => row[BEYOND] !== null);
  return beyond === -1 ? read : read.slice(0, beyond);
}

const RANGE = `
  select count(*)::float8 as count, coalesce(min(number) - 1, 0)::float8 as behind, coalesce(max(number), 0)::float8 as last
  from (select pk_entity_change_log as number from core.tb_entity_change_log
        where change_xid is not null and created_at >= $1 order by pk_entity_change_log desc limit $2) q`;

/** Where the changes begin and end that were written since then, or the newest so many of them. */
export async function findStored(
  client: ClientBase,
  since: string,
  limit: number | null,
): Promise<Omit<StoredRange, 'since'> & { readonly count: number }> {
  const { rows } = await client.query<Omit<StoredRange, 'since'> & { readonly count: number }>(RANGE, [since, limit]);
  return rows[0] ?? { behind: 0, last: 0, count: 0 };
}

// Nothing is parsed by the driver: the images are passed on as text, and the few other fields are cheaper to read where they are used.
const TEXT_ONLY = { getTypeParser: () => (value: string) => value };
