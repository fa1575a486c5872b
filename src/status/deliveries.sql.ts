import type { ClientBase } from 'pg';
import type { Bounds } from '../event/bounds';
import { PENDING_STATES } from '../event/pending-state';
import { goesAt, stateOf } from './alive.sql';

export const DELIVERY_STATES = [
  ...PENDING_STATES, 'delivered', 'skipped', 'shadow', 'dead', 'discarded', 'logged',
] as const; // prettier-ignore
export type ListedState = (typeof DELIVERY_STATES)[number];

/** A delivery as a list has it: what has become of it, and nothing of what it sent. */
export interface ListedDelivery {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
  /** Id of the event; null, as the next two, when its change is stored no longer. */
  readonly event: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly state: ListedState;
  /** Where it is on record: of what waits, and of what died. */
  readonly endpoint: string | null;
  readonly attempts: number;
  readonly error: string | null;
  readonly message: string | null;
  readonly status: number | null;
  /** RFC 3339: when it goes, or its next try does; null where no time is set. */
  readonly goesAt: string | null;
  /** RFC 3339: when it began to wait, died, was given up, or ended. */
  readonly at: string;
}

/** Null does not narrow it down. */
export interface DeliveryFilter {
  readonly observer: string | null;
  readonly action: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly states: readonly ListedState[] | null;
  readonly since: string | null;
  readonly until: string | null;
  /** Tries do not say to where they went: by whom that endpoint is used stands beside it. */
  readonly endpoint: { readonly name: string; readonly usedBy: readonly { readonly observer: string; readonly action: string }[] } | null;
}

/** The last one of the page before. */
export type DeliveryPlace = Pick<ListedDelivery, 'changeNumber' | 'observer' | 'action'>;

interface Source {
  readonly columns: string;
  readonly from: string;
  readonly where: string;
  readonly state: string;
  readonly at: string;
  readonly endpoint: string;
  /** Among rows of one delivery the first is taken. */
  readonly rank: string;
}

const sameAs = (table: string, one: string): string =>
  `${table}.change_number = ${one}.change_number and ${table}.observer = ${one}.observer and ${table}.action = ${one}.action`;
const waits = (one: string): string => `exists (select from observers.pending_delivery w where ${sameAs('w', one)})`;

const PENDING: Source = {
  columns: `s.endpoint, s.attempt as attempts, null::text as error, null::text as message, null::smallint as status,
            ${goesAt('s')} as goes_at`,
  from: 'observers.pending_delivery s',
  where: 's.stream = $1',
  state: stateOf('s'),
  at: 's.created_at',
  endpoint: 's.endpoint = $12',
  rank: '1',
};

const DEAD: Source = {
  columns: 's.endpoint, s.attempts, s.error, s.message, s.status, null::timestamptz as goes_at',
  from: 'observers.dead_letter s',
  where: `s.stream = $1 and s.resolution is distinct from 'delivered' and not ${waits('s')} and (s.resolved_at is null or not exists (
    select from observers.attempt t where ${sameAs('t', 's')} and t.outcome in ('succeeded', 'skipped')))`,
  state: `case when s.resolved_at is null then 'dead' else 'discarded' end`,
  at: 'coalesce(s.resolved_at, s.died_at)',
  endpoint: 's.endpoint = $12',
  rank: 's.died_at desc',
};

// What is in doubt is not settled: it waits, or it is a dead letter.
const SETTLED: Source = {
  columns: 'null::text as endpoint, s.attempt as attempts, s.error, s.message, s.status, null::timestamptz as goes_at',
  from: 'observers.attempt s',
  where: `s.outcome in ('succeeded', 'skipped', 'dead') and not ${waits('s')} and not exists (
    select from observers.dead_letter d where ${sameAs('d', 's')} and (d.resolved_at is null or s.outcome = 'dead'))`,
  state: `case when s.outcome = 'succeeded' then 'delivered' when s.message like 'shadow: %' then 'shadow'
               when s.outcome = 'skipped' then 'skipped' else 'logged' end`,
  at: 's.finished_at',
  endpoint: '(s.observer, s.action) in (select * from unnest($13::text[], $14::text[]))',
  rank: `array_position(array['succeeded', 'skipped', 'dead'], s.outcome), s.finished_at desc`,
};

// Each by an index on the number of the change, from the newest on: a page costs a page, whatever the tables hold.
const pageOf = ({ columns, from, where, state, at, endpoint, rank }: Source): string => `
  (select * from (
     select distinct on (s.change_number, s.observer, s.action)
            s.change_number, s.observer, s.action, ${state} as state, ${at} as at, ${columns}
     from ${from} left join core.tb_entity_change_log l on l.pk_entity_change_log = s.change_number
     where ${where} and ($2::text is null or s.observer = $2) and ($3::text is null or s.action = $3)
       and ($4::text is null or l.object_type = $4) and ($5::text is null or coalesce(l.object_key, l.object_id::text) = $5)
       and ($6::text[] is null or s.observer = any ($6)) and ($7::text[] is null or l.tenant_id::text = any ($7))
       and ($8::bigint is null or s.change_number < $8 or (s.change_number = $8 and (s.observer, s.action) > ($9, $10)))
       and ($8::bigint is null or s.change_number <= $8) and ($12::text is null or ${endpoint})
     order by s.change_number desc, s.observer, s.action, ${rank}) e
   where ($15::text[] is null or e.state = any ($15)) and ($16::timestamptz is null or e.at >= $16) and ($17::timestamptz is null or e.at < $17)
   order by e.change_number desc, e.observer, e.action limit $11)`;

// What a delivery that waits has failed with is its last try's.
const LIST = `
  select e.change_number::float8 as "changeNumber", e.observer, e.action, l.id::text as event, left(observers.shown(l.object_type), 1000) as "entityType",
         left(observers.shown(coalesce(l.object_key, l.object_id::text)), 1000) as "entityKey", e.state, e.endpoint, e.attempts,
         coalesce(e.error, t.error) as error, coalesce(e.message, t.message) as message, coalesce(e.status, t.status) as status,
         to_json(e.goes_at) #>> '{}' as "goesAt", to_json(e.at) #>> '{}' as at
  from (${[PENDING, DEAD, SETTLED].map(pageOf).join(' union all ')}) e
  left join core.tb_entity_change_log l on l.pk_entity_change_log = e.change_number
  left join lateral (
    select t.error, t.message, t.status from observers.attempt t
    where ${sameAs('t', 'e')} and e.state in (${PENDING_STATES.map((state) => `'${state}'`).join(', ')})
    order by t.finished_at desc limit 1) t on true
  order by e.change_number desc, e.observer, e.action limit $11`;

/** The newest changes first. @param behind the last one of the page before */
export async function listDeliveries(
  client: ClientBase,
  stream: string,
  filter: DeliveryFilter,
  { tenants, observers }: Bounds,
  page: { readonly behind: DeliveryPlace | null; readonly limit: number },
): Promise<ListedDelivery[]> {
  const { observer, action, entityType, entityKey, states, since, until, endpoint } = filter;
  const { behind, limit } = page;
  const usedBy = endpoint?.usedBy ?? [];
  const { rows } = await client.query<ListedDelivery>(LIST, [
    stream, observer, action, entityType, entityKey, observers, tenants, behind?.changeNumber ?? null, behind?.observer ?? '', behind?.action ?? '',
    limit, endpoint?.name ?? null, usedBy.map((one) => one.observer), usedBy.map((one) => one.action), states, since, until,
  ]); // prettier-ignore
  return rows;
}
