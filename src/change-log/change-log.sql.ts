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

/** What a producer may fill: a name of 1 GB is as much as an image of 1 GB. */
const DOCUMENTS = ['object_data', 'object_data_before', 'trace_context', 'extra_metadata'];
// octet_length of a text is read off its header, as pg_column_size is.
const WORDS = ['object_type', 'object_key', 'modification_type', "array_to_string(updated_fields, ',')"].map(
  (text) => `octet_length(${text})`,
);

const sum = (sizes: readonly string[]): string => sizes.map((size) => `coalesce(${size}, 0)`).join(' + ');
const STORED_SIZE = sum([...DOCUMENTS.map((column) => `pg_column_size(${column})`), 'pg_column_size(updated_fields)']);

/** Stored bytes up to which a row is read to be measured. Compressed ones are not: their text may be longer than PostgreSQL can make one. */
const SMALL = 8_000;
/** Bytes of a text that was made to be measured and is kept to be sent. */
const KEPT = 65_536;

// The images are fetched for rows that fit the page's budget, and that counts bytes as they are read, never as they are stored: 35 kB of
// compressed letters are 3.3 MB, and a numeric of 12 bytes may have 131,072 digits. pg_column_size reads the length of a value without
// fetching it, so that a 100 MB row costs a look at its header before it is measured.
const IMAGES = `
  select pk_entity_change_log, id, object_type, coalesce(object_key, object_id::text) as object_key, modification_type,
         object_data, object_data_before, updated_fields, tenant_id, created_at, trace_context, extra_metadata,
         ${STORED_SIZE} <= ${SMALL} and coalesce(${DOCUMENTS.map((column) => `pg_column_compression(${column})`).join(', ')}) is null as small
  from core.tb_entity_change_log`;

/** Nothing is read of a row that is too large, or for which the page has no room. */
const read = (expression: string): string => `case when fits and within then ${expression} end`;

/** What a row says in words, by the column that it says it in. */
const TEXTS = {
  object_type: read('p.object_type'),
  object_key: read('p.object_key'),
  modification_type: read('p.modification_type'),
  object_data: read('coalesce(p.data_text, p.object_data::text)'),
  object_data_before: read('coalesce(p.before_text, p.object_data_before::text)'),
  updated_fields: read('to_json(p.updated_fields)::text'),
  // As far as capture records them; other producers may write more.
  traceparent: read("left(p.trace_context ->> 'traceparent', 1000)"),
  tracestate: read("left(p.trace_context ->> 'tracestate', 1000)"),
  cause: read("left(p.trace_context ->> 'cause', 10000)"),
  capture_error: read("left(p.extra_metadata ->> 'capture_error', 1000)"),
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

/** Bytes of what PostgreSQL cannot write out, or not in time: observers.text_size says so too. */
export const BEYOND_MEASURE = String(2 ** 40);

// \`offset 0\`: each text is made once. @param measured whether rows are read to be measured that are not small
const SIZED = (measured: string): string => `
  select q.*, bytes <= $4 as fits, row_number() over numbered = 1 as first,
         row_number() over numbered = 1 or sum(least(bytes, $4)) over numbered <= $3 as within
  from (select t.*, case when octet_length(data) <= ${KEPT} then data end as data_text,
               case when octet_length(before) <= ${KEPT} then before end as before_text,
               ${sum(WORDS)} + case
                 when small then ${sum(['data', 'before', 'trace_context::text', 'extra_metadata::text'].map((text) => `octet_length(${text})`))}
                 when ${measured} then ${sum(DOCUMENTS.map((column) => `observers.text_size(${column})`))}
                 else ${BEYOND_MEASURE} end as bytes
        from (select p.*, case when small then object_data::text end as data, case when small then object_data_before::text end as before
              from page p offset 0) t offset 0) q
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

/** Some of the changes that were asked for. */
export interface SomeChanges {
  /** In the order of their numbers; those that are no longer stored are not among them. */
  readonly rows: readonly ChangeRow[];
  /** Numbers for which there was no room. */
  readonly rest: readonly number[];
}

/** Reads changes by their numbers, for retries and redrives: the first of them, as far as their images fit `bytes`, and at least one. */
export async function readSomeChanges(
  client: ClientBase | Pool,
  changeNumbers: readonly number[],
  { bytes, eventBytes }: Pick<PageLimits, 'bytes' | 'eventBytes'>,
): Promise<SomeChanges> {
  const found = await byNumber(client, changeNumbers, bytes, eventBytes);
  const beyond = found.findIndex((row) => row[BEYOND] !== null);
  if (beyond === -1) return { rows: found, rest: [] };
  const last = Number(found[beyond - 1]?.[0]);
  return { rows: found.slice(0, beyond), rest: changeNumbers.filter((number) => number > last) };
}

/** All of them, of which only so many are in memory at a time as `bytes` allows. */
export async function* readChanges(
  client: ClientBase | Pool,
  changeNumbers: readonly number[],
  limits: Pick<PageLimits, 'bytes' | 'eventBytes'>,
): AsyncGenerator<ChangeRow> {
  for (let rest = changeNumbers; rest.length > 0;) {
    const some = await readSomeChanges(client, rest, limits);
    yield* some.rows;
    rest = some.rest;
  }
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
  with page as materialized (${IMAGES} where pk_entity_change_log = any ($1::bigint[]) limit $2), sized as (${SIZED('true')})
  select ${OUTPUT} from (${CHECKED}) p order by p.pk_entity_change_log`;

const STORED = `
  with page as materialized (${IMAGES} where pk_entity_change_log > $1 and pk_entity_change_log <= $5 and change_xid is not null
      and created_at >= $6 order by pk_entity_change_log limit $2), sized as (${SIZED('true')})
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
