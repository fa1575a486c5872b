import type { Snapshot } from '../checkpoint/cursor';

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
/** Place of `beyond` in a row. */
export const BEYOND = 15;

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
export const IMAGES = `
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

export const OUTPUT = `
  p.pk_entity_change_log, p.id, ${said('object_type')}, ${said('object_key')}, ${said('modification_type')}, ${said('object_data')},
  ${said('object_data_before')}, ${said('updated_fields')}, p.tenant_id, p.created_at at time zone 'UTC', ${said('traceparent')},
  ${said('tracestate')}, ${said('cause')}, ${said('capture_error')}, case when not fits then bytes end, case when not within then 'beyond' end, unreadable,
  ${said('backfill')}`;

// A text that cannot be converted to UTF-8 fails the whole statement, and the stream would stand still for good: such rows are told by
// their columns instead. Where the database is UTF-8 there are none, and it is not asked. \`offset 0\`: once a row, not once a column.
export const CHECKED = `
  select p.*, case when getdatabaseencoding() = 'UTF8' or observers.readable(concat_ws(' ', ${Object.values(TEXTS).join(', ')})) then null
    else concat_ws(', ', ${Object.entries(TEXTS)
      .map(([column, text]) => `case when not observers.readable(${text}) then '${column}' end`)
      .join(', ')}) end as unreadable
  from sized p offset 0`;

/** Bytes of what PostgreSQL cannot write out, or not in time: observers.text_size says so too. */
export const BEYOND_MEASURE = String(2 ** 40);

// \`offset 0\`: each text is made once. @param measured whether rows are read to be measured that are not small
export const SIZED = (measured: string): string => `
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

// Nothing is parsed by the driver: the images are passed on as text, and the few other fields are cheaper to read where they are used.
export const TEXT_ONLY = { getTypeParser: (): ((value: string) => string) => (value) => value };
