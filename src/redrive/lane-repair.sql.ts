import { transaction } from '../database/transaction';
import type { ClientBase } from 'pg';
import { deliveryId } from '../event/delivery';
import { KEPT_WHILE_OPEN } from '../delivery/ledger.sql';
import { readPausedNames } from '../delivery/pauses.sql';
import { promoteHeads } from '../delivery/strict-lanes.sql';
import { stateOf } from '../status/alive.sql';

/** A lane of a strict observer that something holds up. */
export interface HeldLane {
  readonly observer: string;
  readonly action: string;
  readonly entityType: string;
  readonly entityKey: string;
  /** State of its head. `parked`: it has failed for good, and a person decides. */
  readonly state: 'parked' | 'retrying' | 'running' | 'queued' | 'paused';
  readonly changeNumber: number;
  /** Tries of the head. */
  readonly attempts: number;
  /** Deliveries behind the head. */
  readonly waiting: number;
  readonly ageSeconds: number;
  readonly error: string | null;
  readonly message: string | null;
  readonly status: number | null;
}

/** Null takes all. */
export interface LaneFilter {
  readonly observer: string | null;
  readonly action: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
}

const HEADS = `
  select h.*, l.id as event_id, l.object_type, coalesce(l.object_key, l.object_id::text, '') as object_key from (
    select distinct on (lane) * from observers.pending_delivery where stream = $1 and strict and not redrive order by lane, change_number) h
  join core.tb_entity_change_log l on l.pk_entity_change_log = h.change_number
  where ($2::text is null or h.observer = $2) and ($3::text is null or h.action = $3) and ($4::text is null or l.object_type = $4)
    and ($5::text is null or coalesce(l.object_key, l.object_id::text, '') = $5)`;

const LAST_ATTEMPT = `
  left join lateral (
    select * from observers.attempt a where a.change_number = h.change_number and a.observer = h.observer and a.action = h.action
    order by a.finished_at desc limit 1) a on true`;

const LIST = `
  with h as materialized (${HEADS} and h.state <> 'waiting' order by h.state <> 'parked', h.created_at, h.lane limit $6 offset $7)
  select h.observer, h.action, h.object_type as "entityType", h.object_key as "entityKey", ${stateOf('h')} as state, h.change_number::float8 as "changeNumber",
    coalesce(a.attempt, 0) as attempts, a.error, a.message, a.status,
    (select count(*)::int - 1 from observers.pending_delivery w where w.stream = $1 and w.lane = h.lane and w.strict and not w.redrive) as waiting,
    extract(epoch from clock_timestamp() - coalesce(h.first_attempt_at, h.created_at))::float8 as "ageSeconds"
  from h ${LAST_ATTEMPT} order by h.state <> 'parked', h.created_at, h.lane`;

function values(stream: string, { observer, action, entityType, entityKey }: LaneFilter): unknown[] {
  return [stream, observer, action, entityType, entityKey];
}

/** Parked ones first, then the oldest. */
export async function listLanes(
  client: ClientBase,
  stream: string,
  filter: LaneFilter,
  limit: number,
  offset: number,
): Promise<HeldLane[]> {
  const { rows } = await client.query<HeldLane>(LIST, [...values(stream, filter), limit, offset]);
  return rows;
}

export async function countLanes(client: ClientBase, stream: string, filter: LaneFilter): Promise<number> {
  const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from (${HEADS} and h.state <> 'waiting') h`, values(stream, filter)); // prettier-ignore
  return rows[0]?.count ?? 0;
}

// A running head belongs to its worker; the condition on the state is looked at again when the row is locked.
const RESUME = `
  with resumed as (
    update observers.pending_delivery p set state = 'retrying', next_attempt_at = clock_timestamp() from (${HEADS}) h
    where p.change_number = h.change_number and p.observer = h.observer and p.action = h.action and p.state in ('parked', 'retrying')
    returning p.change_number, p.observer, p.action, p.lane, h.state as before
  ), noted as (
    insert into observers.operation (who, what, items, before, after)
    select $6, 'lanes: resumed', jsonb_build_object('stream', $1::text, 'count', count(*), 'heads', to_jsonb((array_agg(jsonb_build_object(
             'change', change_number, 'observer', observer, 'action', action) order by change_number, observer, action))[1:100])),
           jsonb_build_object('states', to_jsonb(array_agg(distinct before))), '{"states": ["retrying"]}'
    from resumed having count(*) > 0
  )
  select count(*)::int as resumed, count(*) filter (where o.observer is not null)::int as paused,
    (select count(*)::int from observers.pending_delivery w where w.stream = $1 and w.state = 'waiting' and w.lane in (select lane from resumed)) as behind,
    (select count(*)::int from (${HEADS} and h.state <> 'waiting') h where not exists (
       select from resumed r where r.change_number = h.change_number and r.observer = h.observer and r.action = h.action)) as left
  from resumed r left join observers.paused_observer o on o.stream = $1 and o.observer = r.observer`;

/** What became of lanes that were asked to go on. */
export interface LanesResumed {
  /** Heads that are tried once more. */
  readonly resumed: number;
  /** Of these: held back for now, for their observers are paused. */
  readonly paused: number;
  /** Deliveries behind these heads; they go on when their heads have succeeded. */
  readonly behind: number;
  /** Lanes whose heads were under way, queued or put aside, and were left as they are. */
  readonly left: number;
}

/** Lets the heads be tried once more, now. */
export async function resumeLanes(client: ClientBase, stream: string, filter: LaneFilter, who: string): Promise<LanesResumed> {
  const { rows } = await client.query<LanesResumed>(RESUME, [...values(stream, filter), who]);
  return rows[0] ?? { resumed: 0, paused: 0, behind: 0, left: 0 };
}

/** `skip` gives the head up for good; `dead-letter` moves it to the dead letters; `dead-letter all` moves whoever waits behind it too. */
export type LaneRepair = 'skip' | 'dead-letter' | 'dead-letter all';

/** Lanes in one transaction. */
const CHUNK = 200;

interface TakenDelivery {
  readonly lane: string;
  readonly changeNumber: number;
  readonly eventId: string;
  readonly observer: string;
  readonly action: string;
}

const TAKE = (condition: string): string => `
  with h as materialized (${HEADS} and h.state in ('parked', 'retrying') limit $6)
  select p.lane, p.change_number::float8 as "changeNumber", l.id as "eventId", p.observer, p.action from h
  join observers.pending_delivery p on p.stream = $1 and p.lane = h.lane and p.strict and not p.redrive and ${condition}
  join core.tb_entity_change_log l on l.pk_entity_change_log = p.change_number
  where p.state in ('parked', 'retrying', 'waiting') for update of p skip locked`;
const TAKE_HEADS = TAKE('p.change_number = h.change_number');
const TAKE_ALL = TAKE('p.change_number >= h.change_number');

const BURY = `
  with u as (
    select * from unnest($2::bigint[], $3::text[], $4::text[], $5::uuid[]) as u(change_number, observer, action, id)
  ), gone as (
    delete from observers.pending_delivery p using u where p.change_number = u.change_number and p.observer = u.observer and p.action = u.action
    returning p.*
  ), dead as (
    insert into observers.dead_letter as d (id, change_number, event_id, observer, action, stream, endpoint, entity_type, entity_key, error, message,
                                            status, response, attempts, config_version, resolved_at, resolution)
    select u.id, h.change_number, l.id, h.observer, h.action, h.stream, h.endpoint, l.object_type, coalesce(l.object_key, l.object_id::text, ''),
           coalesce(a.error, 'lane'), coalesce(a.message, 'it waited in a strict lane that was given up'), a.status, a.response, coalesce(a.attempt, 0),
           coalesce(a.config_version, (select max(id) from observers.config_version), 0),
           case when $6 = 'skipped' then clock_timestamp() end, case when $6 = 'skipped' then $6 end
    from gone h join u using (change_number, observer, action) join core.tb_entity_change_log l on l.pk_entity_change_log = h.change_number ${LAST_ATTEMPT}
    on conflict (id) do update set ${KEPT_WHILE_OPEN}, resolved_at = excluded.resolved_at, resolution = excluded.resolution
    returning id, error, status, config_version
  )
  insert into observers.dead_letter_event (dead_letter_id, what, who, error, status, config_version)
  select id, $6, $1, error, status, config_version from dead`;

/**
 * Takes the heads out of their lanes, so that the next ones go on. Lanes whose head is under way just now are left alone.
 *
 * @returns lanes and deliveries that were acted on
 */
export async function repairLanes(
  client: ClientBase,
  stream: string,
  filter: LaneFilter,
  repair: LaneRepair,
  who: string,
): Promise<{ lanes: number; deliveries: number }> {
  const done = { lanes: 0, deliveries: 0 };
  const paused = await readPausedNames(client, stream);
  for (let found = CHUNK; found > 0;) {
    found = await transaction(client, 'begin', async () => {
      const { rows } = await client.query<TakenDelivery>(repair === 'dead-letter all' ? TAKE_ALL : TAKE_HEADS, [
        ...values(stream, filter),
        CHUNK,
      ]);
      const lanes = [...new Set(rows.map(({ lane }) => lane))];
      await client.query(BURY, [
        who,
        rows.map(({ changeNumber }) => changeNumber),
        rows.map(({ observer }) => observer),
        rows.map(({ action }) => action),
        rows.map(({ eventId, observer, action }) => deliveryId(eventId, observer, action)),
        repair === 'skip' ? 'skipped' : 'taken out of its lane',
      ]);
      await promoteHeads(client, stream, lanes, paused);
      done.lanes += lanes.length;
      done.deliveries += rows.length;
      return lanes.length;
    });
  }
  return done;
}
