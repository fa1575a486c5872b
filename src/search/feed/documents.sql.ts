import type { ClientBase } from 'pg';
import type { Snapshot } from '../../checkpoint/cursor';
import { hourOf, LINES_OF_CHANGES } from '../lines.sql';

interface Source {
  readonly number: string;
  readonly from: string;
  /** The transaction that wrote the row, and how its index compares it: with an xid8, or with its number. */
  readonly xid: string;
  readonly indexed: 'xid8' | 'number';
}

/** Whatever a document tells of. */
const SOURCES: readonly Source[] = [
  { number: 'l.pk_entity_change_log', from: 'core.tb_entity_change_log l', xid: 'l.change_xid', indexed: 'xid8' },
  { number: 'a.change_number', from: 'observers.attempt a', xid: 'a.attempt_xid', indexed: 'number' },
  { number: 'd.change_number', from: 'observers.dead_letter d', xid: 'd.changed_xid', indexed: 'xid8' },
  { number: 'q.change_number', from: 'observers.quarantine q', xid: 'q.changed_xid', indexed: 'xid8' },
  {
    number: 'd.change_number',
    from: 'observers.dead_letter_event e join observers.dead_letter d on d.id = e.dead_letter_id',
    xid: 'e.written_xid',
    indexed: 'xid8',
  },
];

const rows = ({ number, from, xid }: Source, condition: string): string =>
  `select ${number} as number from ${from} where ${condition} and pg_visible_in_snapshot(${xid}, $1::pg_snapshot) and ${number} > $2`;

const inRange = (source: Source): string => {
  const { xid, indexed } = source;
  return indexed === 'number'
    ? rows(source, `((${xid}::text)::bigint) >= $4::bigint and ((${xid}::text)::bigint) < $5::bigint`)
    : rows(source, `${xid} >= (($4::bigint)::text)::xid8 and ${xid} < (($5::bigint)::text)::xid8`);
};

const wasOpen = (source: Source): string => {
  const { xid, indexed } = source;
  const same = indexed === 'number' ? `((${xid}::text)::bigint) = (x.xid::text)::bigint` : `${xid} = x.xid`;
  return `select s.number from pg_snapshot_xip($4::pg_snapshot) as x(xid) cross join lateral (${rows(source, same)} offset 0) s`;
};

const touched = (of: (source: Source) => string): string =>
  `select distinct number::float8 as number from (${SOURCES.map(of).join(' union all ')}) t order by number limit $3`;

const OPEN_THEN = touched(wasOpen);
const RANGE = touched(inRange);

/** Transactions: those that were under way in a snapshot, or all from one number to before another. */
export type Transactions = { readonly underWayIn: Snapshot } | { readonly from: number; readonly to: number };

/** Changes of which these transactions, as far as they are visible in `target`, have told something; the first behind `after`. */
export async function touchedChanges(
  client: ClientBase,
  target: Snapshot,
  transactions: Transactions,
  after: number,
  limit: number,
): Promise<number[]> {
  const { rows: found } = await ('underWayIn' in transactions
    ? client.query<{ number: number }>(OPEN_THEN, [target, after, limit, transactions.underWayIn])
    : client.query<{ number: number }>(RANGE, [target, after, limit, transactions.from, transactions.to]));
  return found.map(({ number }) => number);
}

/** Characters of an image that are searched in. */
export const LONGEST_IMAGE = 32_768;
/** Of what came of a change. */
const LONGEST_LINES = 32_768;
/** The newest of them. */
const MOST_TRIES = 1_000;
/** Stored bytes up to which an image is written out without being measured, as the reader of the stream does it. */
const SMALL = 8_000;
const MEASURED = 1_048_576;

const image = (column: string): string => `
  observers.shown(left(case when pg_column_size(${column}) <= ${SMALL} and pg_column_compression(${column}) is null then ${column}::text
                            when observers.text_size(${column}) <= ${MEASURED} then ${column}::text end, ${LONGEST_IMAGE}))`;

// A number that stands in two windows is written twice, with the same result: the document is all that is on record now.
const DOCUMENTS = `
  with page as materialized (
    select pk_entity_change_log as change, id, object_type, coalesce(object_key, object_id::text) as object_key, modification_type, tenant_id, created_at,
           object_data, object_data_before
    from core.tb_entity_change_log
    where pk_entity_change_log = any ($1::bigint[]) and created_at >= greatest($2::timestamptz, '0001-01-01 00:00:00+00') and created_at < '9999-12-31 00:00:00+00'
  ), errors as materialized (${LINES_OF_CHANGES.errors('page')}), notes as materialized (${LINES_OF_CHANGES.notes('page')})
  select l.change::float8 as change, l.id::text as event, observers.shown(l.object_type) as "entityType", observers.shown(l.object_key) as "entityKey",
         observers.shown(lower(l.modification_type)) as kind, l.tenant_id::text as tenant, to_json(l.created_at) #>> '{}' as written,
         trunc(extract(epoch from l.created_at) * 1000000)::bigint::text as micros,
         to_char(l.created_at at time zone 'UTC', 'YYYY.MM.DD') as day, ${image('l.object_data')} as data, ${image('l.object_data_before')} as before,
         left(observers.shown(e.text), ${LONGEST_LINES}) as errors, left(observers.shown(n.text), ${LONGEST_LINES}) as notes,
         coalesce(t.tries, '[]') as tries
  from page l left join errors e on e.change = l.change left join notes n on n.change = l.change
  left join lateral (
    select json_agg(json_build_object('observer', observers.shown(observer), 'action', observers.shown(action), 'outcome', outcome, 'error', error,
                                      'hour', ${hourOf('finished_at')})) as tries
    from (select * from observers.attempt a where a.change_number = l.change order by finished_at desc limit ${MOST_TRIES}) a) t on true
  order by l.change`;

/** All that is on record about one change. */
export interface RecordedChange {
  readonly change: number;
  readonly event: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly kind: string | null;
  readonly tenant: string | null;
  readonly written: string;
  /** Since 1970. */
  readonly micros: string;
  /** UTC's, `2026.01.31`. */
  readonly day: string;
  readonly data: string | null;
  readonly before: string | null;
  readonly errors: string | null;
  readonly notes: string | null;
  readonly tries: readonly Readonly<Record<'observer' | 'action' | 'outcome' | 'error' | 'hour', string | null>>[];
}

export interface Recorded {
  readonly changes: readonly RecordedChange[];
  /** Of two looks at a change the later one has the greater. */
  readonly version: string;
}

// Of two snapshots with the same bounds the earlier one has more under way.
const VERSION = `
  select ((pg_snapshot_xmax(s)::text)::bigint * 4096 + 4095 - least(4095, (select count(*) from pg_snapshot_xip(s))))::text as version
  from pg_current_snapshot() s`;

/** In one snapshot; those that are no longer stored, or were written before `since`, are left out. @param since RFC 3339 */
export async function readRecorded(client: ClientBase, changes: readonly number[], since: string): Promise<Recorded> {
  const { rows: versions } = await client.query<{ version: string }>(VERSION);
  const { rows: found } = await client.query<RecordedChange>({ name: 'search-documents', text: DOCUMENTS, values: [changes, since] });
  return { changes: found, version: versions[0]?.version ?? '0' };
}
