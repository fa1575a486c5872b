import type { ClientBase, Pool } from 'pg';
import type { DeliveryKey } from '../delivery/records';
import type { Claimant, ClaimedDelivery, FreePlaces } from './job-queue';

const PARTY = (condition: string): string => `
  (select q.party from observers.pending_delivery q where q.stream = $1 and q.endpoint = w.endpoint and q.state = 'queued' ${condition} order by q.party limit 1)`;

const QUEUED = `
  with recursive parties(party, number) as (
    select coalesce(${PARTY('and q.party > w.after')}, ${PARTY('')}), 1
    union all
    select ${PARTY('and q.party > p.party')}, p.number + 1 from parties p where p.party is not null and p.number < w.free
  ), turns as materialized (
    select party, count(*) over () as parties from parties where party is not null
  )
  select mine.* from turns t cross join lateral (
    select q.change_number, q.observer, q.action, q.state from observers.pending_delivery q
    where q.stream = $1 and q.endpoint = w.endpoint and q.state = 'queued' and q.party = t.party and not exists (
      select from observers.pending_delivery e
      where e.stream = $1 and e.state = 'queued' and e.lane = q.lane and e.change_number < q.change_number and e.party <> q.party offset 0)
    order by q.change_number limit ceil(w.free::float8 / t.parties)::int for update skip locked) mine
  limit w.free`;

// As many of each endpoint as it has free places: one whose places are all taken by hanging requests gets none, and costs none. Queued ones of
// the parties in turn, behind those that had theirs (`after`): the walk from party to party is an index look-up each, and reads no backlog.
// Changes of one entity may have several parties: none is taken before what is queued of its lane. A quarter of the places is kept for retries
// that are due, or a backlog would starve them.
// `offset 0` keeps the look for an earlier one of the lane from becoming a join: in a plan that was made for a small table, and is kept while that
// grows, the join read all that is queued for each row. A claim of 250 out of 85,000 took 44 s, behind which the lease could not be renewed.
// Of an endpoint whose breaker is half-open, one of either.
// The fence: a claim of a process that was killed may still be under way in PostgreSQL when the next leader takes over; what it claimed
// after that would belong to nobody, and be overtaken by what comes later.
const CLAIM = `
  with fence as materialized (
    select from observers.lease where stream = $1 and epoch = $6 for share
  ), picked as (
    select p.* from fence cross join unnest($2::text[], $3::int[], $7::int[], $8::text[]) as w(endpoint, free, most, after)
    cross join lateral (
      select * from (select change_number, observer, action, state from observers.pending_delivery
       where stream = $1 and endpoint = w.endpoint and state = 'retrying' and next_attempt_at <= clock_timestamp()
       order by next_attempt_at, change_number limit (w.free + 3) / 4 for update skip locked) due
      union all
      select * from (${QUEUED}) queued
      -- Lazily: what lies beyond is not locked.
      limit w.most) p
  ), claimed as (
    update observers.pending_delivery p
    set state = 'running', claimed_by = $4, claimed_until = clock_timestamp() + $5::float8 * interval '1 ms',
        first_attempt_at = coalesce(p.first_attempt_at, clock_timestamp())
    from picked where p.change_number = picked.change_number and p.observer = picked.observer and p.action = picked.action
    returning p.*, picked.state as was
  )
  select c.change_number::float8 as "changeNumber", c.observer, c.action, c.endpoint, c.lane, c.party, c.was, c.attempt, c.appointments, c.redrive, d.error as "diedOf", c.config_version as "configVersion", c.collapsed,
         extract(epoch from clock_timestamp() - c.first_attempt_at)::float8 * 1000 as elapsed
  from claimed c left join observers.dead_letter d
    on c.redrive and d.change_number = c.change_number and d.observer = c.observer and d.action = c.action
  order by c.change_number`;

/** @param reached by endpoint: the party that had the last turn */
export async function claimDue(
  client: ClientBase | Pool,
  { stream, holder, epoch }: Claimant,
  places: readonly FreePlaces[],
  lease: number,
  reached: ReadonlyMap<string, string>,
): Promise<ClaimedDelivery[]> {
  const [endpoints, free, most] = [places.map((one) => one.endpoint), places.map((one) => one.free), places.map((one) => one.most ?? null)];
  const after = endpoints.map((endpoint) => reached.get(endpoint) ?? '');
  const values = [stream, endpoints, free, holder, lease, epoch, most, after];
  const { rows } = await client.query<ClaimedDelivery>({ name: 'pending-claim', text: CLAIM, values });
  return rows;
}

// Those that are in memory here wait their turn, or run longer than the claim is good for: an action may take an hour.
const SWEEP = `
  update observers.pending_delivery p set state = 'queued', claimed_by = null, claimed_until = null, next_attempt_at = '-infinity'
  where stream = $1 and state = 'running' and claimed_until < clock_timestamp() and not exists (
    select from unnest($2::bigint[], $3::text[], $4::text[]) as h(change_number, observer, action)
    where h.change_number = p.change_number and h.observer = p.observer and h.action = p.action)`;

/** Frees claims whose lease ran out: whoever had them will not come back. @returns how many */
export async function sweepExpiredClaims(client: ClientBase | Pool, stream: string, held: readonly DeliveryKey[]): Promise<number> {
  const keys = [held.map((key) => key.changeNumber), held.map((key) => key.observer), held.map((key) => key.action)];
  const { rowCount } = await client.query(SWEEP, [stream, ...keys]);
  return rowCount ?? 0;
}

// A renamed endpoint or a removed observer leaves deliveries behind that no free place would ever fetch. Those of a branch without a gate go to
// its endpoint, from where each finds its way.
const ADOPT = `
  with adopted as (
    update observers.pending_delivery
    set endpoint = case when split_part(endpoint, ': ', 1) = any ($2::text[]) then split_part(endpoint, ': ', 1) else $3 end
    where stream = $1 and state in ('queued', 'retrying') and endpoint <> all ($2::text[]) returning endpoint, state
  )
  select distinct endpoint from adopted where state = 'queued'`;

/**
 * Puts deliveries of endpoints that are no longer configured under `endpoint`, where they are claimed and judged by name.
 *
 * @returns where some are queued now
 */
export async function adoptOrphans(
  client: ClientBase | Pool,
  stream: string,
  known: readonly string[],
  endpoint: string,
): Promise<string[]> {
  const { rows } = await client.query<{ endpoint: string }>(ADOPT, [stream, known, endpoint]);
  return rows.map((row) => row.endpoint);
}

const DRAINED = `
  select endpoint from unnest($2::text[]) as w(endpoint)
  where not exists (select from observers.pending_delivery p where p.stream = $1 and p.endpoint = w.endpoint and p.state = 'queued')`;

/** Those of these endpoints of which nothing is queued. */
export async function findDrained(client: ClientBase | Pool, stream: string, endpoints: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ endpoint: string }>({ name: 'pending-drained', text: DRAINED, values: [stream, endpoints] });
  return rows.map(({ endpoint }) => endpoint);
}
