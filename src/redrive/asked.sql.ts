import type { ClientBase, Pool } from 'pg';
import { isLeading, stateOf } from '../status/alive.sql';

/** A delivery that a person has asked for; observer and action are null where a quarantined change is looked at again. */
export interface AskedDelivery {
  readonly changeNumber: string;
  readonly observer: string | null;
  readonly action: string | null;
  /** Where it waits for a place; null where it waits for none. */
  readonly endpoint: string | null;
}

/** `later`: it failed, and is tried again by the ordinary policy. `taken back`: nobody has tried it, and nobody will. */
export type Progressed = 'delivered' | 'failed' | 'under way' | 'later' | 'taken back';

export interface AskedProgress {
  readonly is: Progressed;
  readonly message: string | null;
}

const PROGRESS = `
  select u.number::int as number, coalesce(d.retry_message, d.message) as message,
    case when p.state = 'retrying' and p.next_attempt_at > clock_timestamp() then 'later' when p.state is not null or q.retry_at is not null then 'under way'
         when coalesce(t.what, '') = 'retry taken back' then 'taken back'
         when d.id is not null or q.change_number is not null then 'failed' else 'delivered' end as is
  from unnest($1::bigint[], $2::text[], $3::text[]) with ordinality as u(change_number, observer, action, number)
  left join observers.pending_delivery p on p.change_number = u.change_number and p.observer = u.observer and p.action = u.action
  left join observers.dead_letter d on d.change_number = u.change_number and d.observer = u.observer and d.action = u.action and d.resolved_at is null
  left join observers.quarantine q on q.change_number = u.change_number and q.resolved_at is null and u.observer is null
  left join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number
  left join lateral (
    select what from observers.dead_letter_event e where e.dead_letter_id = coalesce(d.id, l.id) order by e.at desc limit 1) t on true`;

/** What has become of each, in the order given. */
export async function readProgress(client: ClientBase | Pool, asked: readonly Omit<AskedDelivery, 'endpoint'>[]): Promise<AskedProgress[]> {
  const columns = [asked.map((one) => one.changeNumber), asked.map((one) => one.observer), asked.map((one) => one.action)];
  const { rows } = await client.query<AskedProgress & { number: number }>(PROGRESS, columns);
  return rows.sort((a, b) => a.number - b.number);
}

/** What has become of what was asked for by one token since a moment. */
export interface SetProgress {
  readonly asked: number;
  readonly delivered: number;
  readonly failed: number;
  /** Nobody has tried them yet; with `running` and `takenBack` the five add up to what was asked for. */
  readonly waiting: number;
  readonly running: number;
  readonly takenBack: number;
}

// A retry has ended with what its history says next. What has left the quarantine has no row there any more.
const SET_PROGRESS = `
  with asked as materialized (
    select dead_letter_id as id, max(at) as at from observers.dead_letter_event
    where item_set = $1 and what = 'retry asked for' and at >= $2::timestamptz group by 1
  ), ends as (
    select case when p.state = 'running' then 'running' when p.state is not null then 'waiting'
                when e.what is not null then e.what when q.retry_at is not null then 'waiting'
                when d.id is not null or q.change_number is not null then 'failed again' else 'delivered' end as became
    from asked
    left join observers.dead_letter d on d.id = asked.id
    left join observers.pending_delivery p
      on p.change_number = d.change_number and p.observer = d.observer and p.action = d.action and p.item_set = $1
    left join lateral (
      select what from observers.dead_letter_event e
      where e.dead_letter_id = asked.id and e.at > asked.at and what in ('delivered', 'failed again', 'retry taken back') order by e.at limit 1) e on true
    left join (observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number and q.item_set = $1)
      on l.id = asked.id
  )
  select count(*)::int as asked, count(*) filter (where became = 'delivered')::int as delivered, count(*) filter (where became = 'failed again')::int as failed,
    count(*) filter (where became = 'waiting')::int as waiting, count(*) filter (where became = 'running')::int as running,
    count(*) filter (where became = 'retry taken back')::int as "takenBack"
  from ends`;

/** @param since RFC 3339 */
export async function readSetProgress(client: ClientBase | Pool, token: string, since: string): Promise<SetProgress> {
  const { rows } = await client.query<SetProgress>(SET_PROGRESS, [token, since]);
  if (rows[0] === undefined) throw new Error('the progress of a set returned nothing');
  return rows[0];
}

/** What of one token stands in the queue. */
export async function countPending(client: ClientBase | Pool, token: string): Promise<{ waiting: number; running: number }> {
  const { rows } = await client.query<{ waiting: number; running: number }>(
    `select count(*) filter (where state <> 'running')::int as waiting, count(*) filter (where state = 'running')::int as running
     from (select ${stateOf('p')} as state from observers.pending_delivery p where item_set = $1) p`,
    [token],
  );
  return rows[0] ?? { waiting: 0, running: 0 };
}

/** An endpoint whose circuit breaker is not closed, as of the leader's last word. */
export interface HeldEndpoint {
  readonly name: string;
  readonly state: 'open' | 'half-open';
  /** Milliseconds until one delivery tries. */
  readonly probeIn: number;
}

const HELD = `
  select e ->> 'name' as name, e #>> '{breaker,state}' as state,
    greatest(0, (e #>> '{breaker,probeIn}')::float8 - extract(epoch from clock_timestamp() - l.heartbeat_at)::float8 * 1000) as "probeIn"
  from observers.lease x join observers.listener l on l.stream = x.stream and l.id = x.holder cross join jsonb_array_elements(to_jsonb(l.endpoints)) e
  where ${isLeading('x')} and e #>> '{breaker,state}' is not null`;

/** Of all streams; an instance says it at once when a breaker changes. */
export async function readHeldEndpoints(client: ClientBase | Pool): Promise<HeldEndpoint[]> {
  return (await client.query<HeldEndpoint>(HELD)).rows;
}

/** Whether a service can be expected to make the tries. */
export async function isLed(client: ClientBase | Pool): Promise<boolean> {
  const { rowCount } = await client.query(`select from observers.lease x where ${isLeading('x')} limit 1`);
  return (rowCount ?? 0) > 0;
}
