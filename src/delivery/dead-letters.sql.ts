import type { ClientBase, Pool } from 'pg';

/** One entry of the dead letter queue: a delivery that died, or a change that could not be made an event. */
export interface DeadLetterItem {
  /** The delivery id; for a quarantined change its event id. */
  readonly id: string;
  readonly kind: 'delivery' | 'quarantine';
  readonly changeNumber: number;
  readonly observer: string | null;
  readonly action: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly error: string;
  readonly message: string;
  readonly status: number | null;
  readonly attempts: number;
  readonly diedAt: string;
}

const ITEMS = `
  select id::text, 'delivery' as kind, change_number::float8 as "changeNumber", observer, action, entity_type as "entityType", entity_key as "entityKey",
         error, message, status, attempts, died_at
  from observers.dead_letter where resolved_at is null
  union all
  select l.id::text, 'quarantine', q.change_number::float8, null, null, l.object_type, coalesce(l.object_key, l.object_id::text), q.reason, q.message, null, 0, q.created_at
  from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number`;

const LIST = `
  select i.id, kind, "changeNumber", observer, action, "entityType", "entityKey", error, message, status, attempts, to_json(died_at) #>> '{}' as "diedAt"
  from (${ITEMS}) i
  where ($1::text is null or observer = $1) and ($2::text is null or error = $2)
  order by died_at desc, id limit $3 offset $4`;

export interface DeadLetterFilter {
  readonly observer: string | null;
  readonly error: string | null;
  readonly limit: number;
  readonly offset: number;
}

/** Newest first. */
export async function listDeadLetters(client: ClientBase | Pool, filter: DeadLetterFilter): Promise<DeadLetterItem[]> {
  const { rows } = await client.query<DeadLetterItem>(LIST, [filter.observer, filter.error, filter.limit, filter.offset]);
  return rows;
}

export interface DeadLetterDetails extends DeadLetterItem {
  readonly response: string | null;
  readonly endpoint: string | null;
  readonly resolvedAt: string | null;
  readonly resolution: string | null;
  readonly data: unknown;
  readonly tries: readonly {
    attempt: number;
    outcome: string;
    error: string | null;
    message: string | null;
    status: number | null;
    durationMs: number;
    at: string;
  }[];
  readonly history: readonly { at: string; what: string; who: string; detail: string | null }[];
}

const SHOW = `
  select i.*, to_json(i.died_at) #>> '{}' as "diedAt", d.response, d.endpoint, to_json(d.resolved_at) #>> '{}' as "resolvedAt", d.resolution,
         l.object_data as data,
         (select coalesce(json_agg(json_build_object('attempt', a.attempt, 'outcome', a.outcome, 'error', a.error, 'message', a.message, 'status', a.status,
                                                     'durationMs', a.duration_ms, 'at', a.finished_at) order by a.finished_at), '[]')
          from observers.attempt a where a.change_number = i."changeNumber" and a.observer = i.observer and a.action = i.action) as tries,
         (select coalesce(json_agg(json_build_object('at', e.at, 'what', e.what, 'who', e.who, 'detail', e.detail) order by e.at), '[]')
          from observers.dead_letter_event e where e.dead_letter_id = i.id::uuid) as history
  from (${ITEMS.replace(' where resolved_at is null', '')}) i
  left join observers.dead_letter d on i.kind = 'delivery' and d.id = i.id::uuid
  left join core.tb_entity_change_log l on l.pk_entity_change_log = i."changeNumber"
  where i.id = $1`;

/** @returns null when there is no such item. */
export async function showDeadLetter(client: ClientBase | Pool, id: string): Promise<DeadLetterDetails | null> {
  const { rows } = await client.query<DeadLetterDetails>(SHOW, [id]);
  return rows[0] ?? null;
}

// One statement is the atomic claim: of several people who retry one item at once, one inserts the row and the others find it there.
const RETRY = `
  with item as (
    select * from observers.dead_letter where id = $1 and resolved_at is null
  ), queued as (
    insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, redrive)
    select change_number, observer, action, stream, endpoint, entity_type || E'\\n' || entity_key || E'\\n' || observer || E'\\n' || action, 'retrying',
           attempts + 1, clock_timestamp(), true
    from item on conflict (change_number, observer, action) do nothing returning 1
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who) select $1, 'retry asked for', $2 from queued
  )
  select (select count(*)::int from item) as found, (select count(*)::int from queued) as queued`;

export type RetryRequest = 'queued' | 'already under way' | 'not found';

/** Asks for one more try of one item; the service makes it. */
export async function requestRetry(client: ClientBase | Pool, id: string, who: string): Promise<RetryRequest> {
  const { rows } = await client.query<{ found: number; queued: number }>(RETRY, [id, who]);
  if (rows[0]?.queued === 1) return 'queued';
  if (rows[0]?.found === 1) return 'already under way';
  // A quarantined change is looked at again as a whole: it may be readable now.
  const { rowCount } = await client.query(
    `update observers.quarantine q set retry_at = clock_timestamp() from core.tb_entity_change_log l
     where l.id = $1 and l.pk_entity_change_log = q.change_number and q.retry_at is null`,
    [id],
  );
  return rowCount === 1 ? 'queued' : 'not found';
}

/** `undefined` while the retry is under way. */
export type RetryResult = { readonly delivered: boolean; readonly message: string | null } | undefined;

const RESULT = `
  select d.resolved_at is not null as delivered, d.message, exists (
    select from observers.pending_delivery p where p.change_number = d.change_number and p.observer = d.observer and p.action = d.action) as pending
  from observers.dead_letter d where d.id = $1`;

export async function retryResult(client: ClientBase | Pool, id: string): Promise<RetryResult> {
  const { rows } = await client.query<{ delivered: boolean; message: string; pending: boolean }>(RESULT, [id]);
  const row = rows[0];
  if (row !== undefined) return row.pending ? undefined : { delivered: row.delivered, message: row.delivered ? null : row.message };
  const { rows: quarantined } = await client.query<{ message: string; pending: boolean }>(
    `select q.message, q.retry_at is not null as pending from observers.quarantine q
     join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number where l.id = $1`,
    [id],
  );
  const held = quarantined[0];
  if (held === undefined) return { delivered: true, message: 'it left the quarantine; its deliveries are under way' };
  return held.pending ? undefined : { delivered: false, message: held.message };
}
