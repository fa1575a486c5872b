import { parseSpelledJson } from '../event/json-document';
import type { ClientBase, Pool } from 'pg';
import { UNBOUND, type Bounds } from '../event/bounds';
import { isCancelled } from '../database/postgres';
import { findQuarantined } from '../delivery/quarantine.sql';

/** One entry of the dead letter queue: a delivery that died, or a change that could not be made an event. */
export interface DeadLetterItem {
  /** The delivery id; for a quarantined change its event id. */
  readonly id: string;
  readonly kind: 'delivery' | 'quarantine';
  readonly changeNumber: number;
  readonly observer: string | null;
  readonly action: string | null;
  readonly endpoint: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly error: string;
  readonly message: string;
  readonly status: number | null;
  readonly attempts: number;
  readonly diedAt: string;
}

/** What narrows a list down, or a set that is acted on; null does not. */
export interface DeadLetterFilter {
  readonly observer: string | null;
  readonly action: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly error: string | null;
  readonly endpoint: string | null;
  /** Died then or later, and before then: RFC 3339. */
  readonly after: string | null;
  readonly before: string | null;
}

const QUARANTINED = `
  select l.id, 'quarantine' as kind, q.change_number, null::text as observer, null::text as action, null::text as endpoint,
         observers.shown(l.object_type) as entity_type, observers.shown(coalesce(l.object_key, l.object_id::text)) as entity_key, q.reason as error, q.message, null::smallint as status,
         0 as attempts, q.created_at as died_at, q.changed_xid, q.resolved_at, q.resolution
  from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number`;

const ALL_ITEMS = `
  select id, 'delivery' as kind, change_number, observer, action, endpoint, entity_type, entity_key, error, message, status, attempts, died_at,
         changed_xid, resolved_at, resolution
  from observers.dead_letter
  union all ${QUARANTINED}`;

/** Items in a state, by $1 to $8 (`filterValues`). Each half gets the conditions, so that its indexes serve them. */
const matching = (state: string): string => `
  select * from (${ALL_ITEMS}) i
  where ${state} and ($1::text is null or observer = $1) and ($2::text is null or action = $2) and ($3::text is null or entity_type = $3)
    and ($4::text is null or entity_key = $4) and ($5::text is null or error = $5) and ($6::text is null or endpoint = $6)
    and ($7::timestamptz is null or died_at >= $7) and ($8::timestamptz is null or died_at < $8)`;

/** What still asks for somebody. */
export const MATCHING_ITEMS = matching('resolved_at is null');

/** What people have given up, and may have back. */
const DISCARDED_ITEMS = matching("resolution in ('discarded', 'skipped')");

/** Which items a list shows. */
export type ListedState = 'open' | 'discarded';
const ITEMS: Readonly<Record<ListedState, string>> = { open: MATCHING_ITEMS, discarded: DISCARDED_ITEMS };

export function filterValues(filter: DeadLetterFilter): (string | null)[] {
  const { observer, action, entityType, entityKey, error, endpoint, after, before } = filter;
  return [observer, action, entityType, entityKey, error, endpoint, after, before];
}

export const ITEM_COLUMNS = `
  id::text, kind, change_number::float8 as "changeNumber", observer, action, endpoint, left(entity_type, 1000) as "entityType", left(entity_key, 1000) as "entityKey", error, message,
  status, attempts, to_json(died_at) #>> '{}' as "diedAt"`;

/** SQL: what a bound token sees. A quarantined change is no observer's. */
const withinBounds = (observers: string, tenants: string): string =>
  `(${observers}::text[] is null or observer = any (${observers})) and (${tenants}::text[] is null or exists (
    select from core.tb_entity_change_log l where l.pk_entity_change_log = change_number and l.tenant_id::text = any (${tenants})))`;

const listOf = (state: ListedState): string =>
  `select ${ITEM_COLUMNS} from (${ITEMS[state]}) m order by died_at desc, id limit $9 offset $10`;

/** Newest first. */
export async function listDeadLetters(
  client: ClientBase | Pool,
  filter: DeadLetterFilter,
  { limit, offset }: { readonly limit: number; readonly offset: number },
  state: ListedState = 'open',
): Promise<DeadLetterItem[]> {
  const { rows } = await client.query<DeadLetterItem>(listOf(state), [...filterValues(filter), limit, offset]);
  return rows;
}

/** How many a list of all of them would show. */
export async function countListed(client: ClientBase | Pool, filter: DeadLetterFilter, state: ListedState): Promise<number> {
  const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from (${ITEMS[state]}) m`, filterValues(filter));
  return rows[0]?.count ?? 0;
}

/** What the columns of a group do not name is null. */
export interface DeadLetterGroup {
  readonly observer: string | null;
  readonly error: string | null;
  readonly count: number;
  readonly oldest: string;
  readonly newest: string;
}

export type GroupColumn = 'observer' | 'error';

/** How many there are by these columns, most first; by none: all in one group, or no group when there is nothing. */
export async function countDeadLetters(
  client: ClientBase | Pool,
  filter: DeadLetterFilter,
  columns: readonly GroupColumn[],
  { observers, tenants }: Bounds = UNBOUND,
): Promise<DeadLetterGroup[]> {
  const column = (name: GroupColumn): string => (columns.includes(name) ? name : `null::text as ${name}`);
  const { rows } = await client.query<DeadLetterGroup>(
    `select ${column('observer')}, ${column('error')}, count(*)::int as count, to_json(min(died_at)) #>> '{}' as oldest, to_json(max(died_at)) #>> '{}' as newest
     from (${MATCHING_ITEMS}) m where ${withinBounds('$9', '$10')} group by ${['()', ...columns].slice(columns.length > 0 ? 1 : 0).join(', ')} having count(*) > 0
     order by 3 desc, 1, 2`,
    [...filterValues(filter), observers, tenants],
  );
  return rows;
}

/** What happened to an item. */
export interface HistoryEntry {
  readonly at: string;
  readonly what: string;
  readonly who: string;
  readonly detail: string | null;
  /** What it died of, or what a retry failed with. */
  readonly error: string | null;
  readonly status: number | null;
  readonly configVersion: number | null;
  /** Of how a retry ended: who had asked for it. */
  readonly askedBy: string | null;
}

export interface DeadLetterDetails extends DeadLetterItem {
  readonly response: string | null;
  readonly resolvedAt: string | null;
  readonly resolution: string | null;
  /** The configuration it died with; null for a quarantined change. */
  readonly configVersion: number | null;
  /** The row, with the digits that PostgreSQL has (to be written by `jsonText`); null where it is larger than a person reads. */
  readonly data: unknown;
  /** Bytes of the row as text; null when there is none, or it could not be measured. */
  readonly dataBytes: number | null;
  /** Why a row is not shown; null where it is, or there is none. */
  readonly dataProblem: string | null;
  readonly tries: readonly {
    attempt: number;
    outcome: string;
    error: string | null;
    message: string | null;
    status: number | null;
    durationMs: number;
    at: string;
  }[];
  readonly history: readonly HistoryEntry[];
}

/** A row of 150 MB would be parsed, and written out again, to be cut to a few lines; whoever wants it whole asks the database. */
const SHOWN_BYTES = 1024 ** 2;

const ASKED_BY = `
  case when e.what in ('failed again', 'delivered') then (
    select q.who from observers.dead_letter_event q
    where q.dead_letter_id = e.dead_letter_id and q.what = 'retry asked for' and q.at <= e.at order by q.at desc limit 1) end`;

const SHOW = `
  select i.*, d.response, d.config_version as "configVersion", to_json(m.resolved_at) #>> '{}' as "resolvedAt", m.resolution,
         (select coalesce(json_agg(json_build_object('attempt', a.attempt, 'outcome', a.outcome, 'error', a.error, 'message', a.message, 'status', a.status,
                                                     'durationMs', a.duration_ms, 'at', a.finished_at) order by a.finished_at), '[]')
          from observers.attempt a where a.change_number = i."changeNumber" and a.observer = i.observer and a.action = i.action) as tries,
         (select coalesce(json_agg(json_build_object('at', e.at, 'what', e.what, 'who', e.who, 'detail', e.detail, 'error', e.error, 'status', e.status,
                                                     'configVersion', e.config_version, 'askedBy', ${ASKED_BY}) order by e.at), '[]')
          from observers.dead_letter_event e where e.dead_letter_id = m.id) as history
  from (select * from (${ALL_ITEMS}) a where a.id = $1 and (a.kind = 'delivery' or a.change_number = $2)) m
  cross join lateral (select ${ITEM_COLUMNS.replace('id::text', 'm.id::text')}) i
  left join observers.dead_letter d on m.kind = 'delivery' and d.id = m.id`;

const ROW = `
  select case when size.bytes <= ${SHOWN_BYTES} then case when observers.readable(l.object_data::text) then l.object_data::text end end as data,
         size.bytes::float8 as bytes
  from core.tb_entity_change_log l, lateral (select observers.text_size(l.object_data) as bytes offset 0) size
  where l.pk_entity_change_log = $1`;

/** @returns null when there is no such item. */
export async function showDeadLetter(client: ClientBase | Pool, id: string): Promise<DeadLetterDetails | null> {
  const [change = null] = await findQuarantined(client, [id]);
  const { rows } = await client.query<Omit<DeadLetterDetails, keyof ShownRow>>(SHOW, [id, change]);
  const [found] = rows;
  return found === undefined ? null : { ...found, ...(await showRow(client, found.changeNumber)) };
}

type ShownRow = Pick<DeadLetterDetails, 'data' | 'dataBytes' | 'dataProblem'>;
const NO_ROW: ShownRow = { data: null, dataBytes: null, dataProblem: null };

/** To measure one of 150 MB takes a second, and a busy server more than a statement may take: the rest of the item is shown all the same. */
async function showRow(client: ClientBase | Pool, changeNumber: number): Promise<ShownRow> {
  try {
    const { rows } = await client.query<{ data: string | null; bytes: number | null }>(ROW, [changeNumber]);
    const { data = null, bytes = null } = rows[0] ?? {};
    if (data !== null) return { data: parseSpelledJson(data), dataBytes: bytes, dataProblem: null };
    if (bytes === null) return NO_ROW;
    const why = bytes > SHOWN_BYTES ? `${bytes.toLocaleString('en')} bytes, too many to be shown` : 'its text cannot be converted to UTF-8';
    return { data, dataBytes: bytes, dataProblem: why };
  } catch (error) {
    if (!isCancelled(error)) throw error;
    return { ...NO_ROW, dataProblem: 'the database took too long over the row' };
  }
}

/** A place in the list. */
export type ListPlace = Pick<DeadLetterItem, 'diedAt' | 'id'>;

const PAGE = `
  select ${ITEM_COLUMNS} from (${MATCHING_ITEMS}) m
  where ($9::timestamptz is null or died_at < $9 or (died_at = $9 and id > $10::uuid)) and ${withinBounds('$12', '$13')}
  order by died_at desc, id limit $11`;

/** Newest first, behind a place: what dies meanwhile moves no page. */
export async function pageOfDeadLetters(
  client: ClientBase | Pool,
  filter: DeadLetterFilter,
  behind: ListPlace | null,
  limit: number,
  { observers, tenants }: Bounds = UNBOUND,
): Promise<DeadLetterItem[]> {
  const place = [behind?.diedAt ?? null, behind?.id ?? null];
  const { rows } = await client.query<DeadLetterItem>(PAGE, [...filterValues(filter), ...place, limit, observers, tenants]);
  return rows;
}
