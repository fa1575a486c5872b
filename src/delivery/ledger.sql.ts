import { DELIVERY_REASONS } from '../event/entity-event';
import type { TermContext } from '../event/term-context';
import type { ClientBase, Pool } from 'pg';
import { NUMBERED, otherValues, successValues } from './ledger-columns';
import type { DeliveryKey, Group } from './records';
import { CANCELLED, COLLAPSED, skippedBySql } from './skipped';

export type Fence = Pick<TermContext, 'stream' | 'epoch' | 'holder'>;

// One statement, one round trip, one transaction: outcomes and checkpoint, or neither. The fence locks the lease row for the moment
// of the commit (a lock leaves no dead version behind, an update two hundred times a second would), so a new leader's epoch waits for
// this commit or refuses it. Times are the database's: ages are counted back from now().
const write = (rest: { values: string; arrays: string; names: string; version: string }): string => `
  with fence as materialized (
    select stream from observers.lease where stream = $1 and epoch = $2 and $3::text is not null for share
  ), attempts as (
    insert into observers.attempt (change_number, observer, action, attempt, outcome, error, message, status, response, duration_ms, finished_at, config_version)
    select a.* from fence, lateral (
      select change_number, observer, action, attempt, ${rest.values}, duration_ms, now() - age * interval '1 ms', ${rest.version}
      from unnest(${NUMBERED.attempts.arrays}${rest.arrays}) as u(${NUMBERED.attempts.names}${rest.names})) a
  ), checkpoint as (
    update observers.checkpoint set previous = $5::pg_snapshot, target = $6::pg_snapshot, after = $7::bigint, updated_at = now()
    from fence where checkpoint.stream = fence.stream and $5::pg_snapshot is not null
  )`;

// Most groups hold nothing but successes of one version: the short statement saves them half of the arrays, and the planning of the long one.
const WRITE_SUCCESSES = write({ values: "'succeeded', null, null, status, null", arrays: '', names: '', version: '$4::int' });
const WRITE_ANY = write({
  values: 'outcome, error, message, status, response',
  arrays: `, ${NUMBERED.outcomes.arrays}`,
  names: `, ${NUMBERED.outcomes.names}`,
  // $4 is there to have a type.
  version: 'coalesce(config_version, $4::int)',
});

// An open item keeps what it died with, and the version, for `dlq retry --config-version original`: what fails is a retry of it. One that was delivered
// since, or discarded, dies anew. Each column is named, for the trigger that notes who has changed the item looks at the names.
export const KEPT_WHILE_OPEN = ['error', 'message', 'status', 'response', 'config_version', 'died_at']
  .map((column) => `${column} = case when d.resolved_at is null then d.${column} else excluded.${column} end`)
  .join(', ');
const RETRIED = Object.entries({ retried_at: 'died_at', retry_error: 'error', retry_message: 'message', retry_status: 'status' })
  .map(([column, value]) => `${column} = case when d.resolved_at is null then excluded.${value} end`)
  .join(', ');

// A change is in quarantine once: a second delivery of it that belongs there adds its message, and what was discarded before is open again.
// What is cancelled or replaced has ended: it is on record as skipped, by whom. Cancelled first: what a change cancels it does not stand for.
// Looked up one by one (`offset 0` keeps each look-up within its loop): a plan that was made for a small table would read all that waits for every record.
// Whoever claims or releases one at this moment is waited for, and then its state is looked at again.
const SKIPPED = `, cancellable as materialized (
    select p.*, u.change_number as by, u.config_version as by_version from fence, ${NUMBERED.cancelled.rows}, lateral (
      select p.change_number, p.observer, p.action from observers.pending_delivery p
      where p.stream = fence.stream and p.lane = u.lane and p.due_at is not null and p.change_number < u.change_number offset 0) p
  ), cancelled as (
    delete from observers.pending_delivery p using cancellable c
    where p.change_number = c.change_number and p.observer = c.observer and p.action = c.action
      and p.due_at is not null and p.state <> 'running' and not p.redrive and p.item_set is null
    returning p.change_number, p.observer, p.action, p.attempt, c.by, c.by_version
  ), replaceable as materialized (
    select p.*, u.change_number as by, u.config_version as by_version from fence, ${NUMBERED.scheduled.rows}, lateral (
      select p.change_number, p.observer, p.action from observers.pending_delivery p
      where p.stream = fence.stream and p.observer = u.observer and p.action = u.action and p.debounce_key = u.debounce_key and p.state = 'scheduled'
        and p.change_number <> u.change_number offset 0) p
  ), replaced as (
    delete from observers.pending_delivery p using replaceable r
    where p.change_number = r.change_number and p.observer = r.observer and p.action = r.action and p.state = 'scheduled'
      and not exists (select from cancelled c where c.change_number = p.change_number and c.observer = p.observer and c.action = p.action)
    returning p.change_number, p.observer, p.action, p.attempt, p.due_at, p.debounced_since, p.collapsed, r.by, r.by_version
  ), skipped as (
    insert into observers.attempt (change_number, observer, action, attempt, outcome, message, duration_ms, finished_at, config_version)
    select change_number, observer, action, attempt, 'skipped', ${skippedBySql(CANCELLED, 'by')}, 0, now(), by_version from cancelled
    union all
    select change_number, observer, action, attempt, 'skipped', ${skippedBySql(COLLAPSED, 'by')}, 0, now(), by_version from replaced
  ), taken_over as (
    select by, observer, action, min(debounced_since) as since, max(due_at) as due, sum(collapsed) as collapsed from replaced group by by, observer, action
  ), timed as (
    select u.*, least(to_timestamp(u.since / 1000), t.since) as first, greatest(to_timestamp(u.due / 1000), t.due) as last,
           u.collapsed + coalesce(t.collapsed, 0) as stands_for
    from ${NUMBERED.scheduled.rows} left join taken_over t on t.by = u.change_number and t.observer = u.observer and t.action = u.action
  ), scheduled as (
    insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, party, state, attempt, next_attempt_at, due_at,
                                            debounce_key, debounced_since, collapsed)
    select t.change_number, t.observer, t.action, fence.stream, t.endpoint, t.lane, t.party, 'scheduled', 1, d.due, d.due, t.debounce_key, t.first, t.stands_for
    from fence, timed t, lateral (select least(t.last, t.first + t.max_wait * interval '1 ms') as due) d
    on conflict (change_number, observer, action) do nothing
  )`;

const WRITE_FAILURES = `${SKIPPED}, pending as (
    insert into observers.pending_delivery as p (change_number, observer, action, stream, endpoint, lane, party, state, attempt, appointments, first_attempt_at,
                                                 next_attempt_at, claimed_by, claimed_until, redrive, strict)
    select u.change_number, u.observer, u.action, fence.stream, u.endpoint, u.lane, u.party, u.state, u.attempt, u.appointments, now() - u.elapsed * interval '1 ms',
           case when u.state in ('queued', 'waiting') or u.state = 'paused' and u.after = 0 then '-infinity' when u.state = 'parked' then 'infinity' else now() + u.after * interval '1 ms' end, case when u.claim is not null then $3 end, now() + u.claim * interval '1 ms', u.redrive, u.strict
    from fence, ${NUMBERED.pending.rows}
    on conflict (change_number, observer, action) do update
    set state = excluded.state, attempt = excluded.attempt, appointments = excluded.appointments, first_attempt_at = coalesce(p.first_attempt_at, excluded.first_attempt_at),
        next_attempt_at = excluded.next_attempt_at, claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until, strict = excluded.strict
  ), ended as (
    delete from observers.pending_delivery p using fence, ${NUMBERED.ended.rows}
    where p.change_number = u.change_number and p.observer = u.observer and p.action = u.action
  ), dead as (
    insert into observers.dead_letter as d (id, change_number, event_id, observer, action, stream, endpoint, entity_type, entity_key, error, message,
                                            status, response, attempts, config_version, collapsed)
    select u.id, u.change_number, u.event_id, u.observer, u.action, fence.stream, u.endpoint, u.entity_type, u.entity_key, u.error, u.message,
           u.status, u.response, u.attempts, u.config_version, u.collapsed
    from fence, ${NUMBERED.dead.rows}
    on conflict (id) do update
    set ${KEPT_WHILE_OPEN}, attempts = greatest(d.attempts, excluded.attempts),
        ${RETRIED}, resolved_at = null, resolution = null
    returning id, case when xmax = 0 then 'died' when retried_at is null then 'died again' else 'failed again' end as what
  ), dead_events as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail, error, status, config_version)
    select u.id, dead.what, $3, u.message, u.error, u.status, u.config_version from dead join ${NUMBERED.dead.rows} on dead.id = u.id
    union all
    select u.id, 'delivered', $3, null, null, null, null from fence, ${NUMBERED.redriven.rows}
  ), redriven as (
    update observers.dead_letter d set resolved_at = now(), resolution = 'delivered' from fence, ${NUMBERED.redriven.rows} where d.id = u.id
  ), quarantined as (
    insert into observers.quarantine as q (change_number, stream, reason, message)
    select u.change_number, fence.stream, u.reason, u.message from fence, ${NUMBERED.quarantined.rows}
    on conflict (change_number) do update set message = q.message || E'\\n' || excluded.message, resolved_at = null, resolution = null
    where excluded.reason in (${DELIVERY_REASONS.map((reason) => `'${reason}'`).join(', ')}) and strpos(q.message, excluded.message) = 0
  )`;

const RESULT = ' select count(*)::int as fenced from fence';

/**
 * Writes a group.
 *
 * @param now monotonic milliseconds, on the clock of the records' times
 * @returns false when the epoch is stale: nothing was written, and this process no longer leads
 */
export async function writeGroup(client: ClientBase | Pool, fence: Fence, group: Group, now: number): Promise<boolean> {
  const { attempts, cursor } = group;
  const position = cursor === null ? [null, null, null] : [cursor.previous, cursor.target, cursor.after];
  const values = [
    fence.stream,
    fence.epoch,
    fence.holder,
    attempts[0]?.configVersion ?? null,
    ...position,
    ...successValues(attempts, now),
  ];
  const { rows } = await client.query<{ fenced: number }>(
    onlySuccesses(group)
      ? { name: 'ledger-successes', text: WRITE_SUCCESSES + RESULT, values }
      : { name: 'ledger-group', text: WRITE_ANY + WRITE_FAILURES + RESULT, values: [...values, ...otherValues(group)] },
  );
  return rows[0]?.fenced === 1;
}

function onlySuccesses({ attempts, pending, scheduled, cancelled, ended, deadLetters, redriven, quarantine }: Group): boolean {
  const waiting = pending.length + scheduled.length + cancelled.length;
  const others = waiting + ended.length + deadLetters.length + redriven.length + quarantine.length;
  const version = attempts[0]?.configVersion;
  return others === 0 && attempts.every(({ outcome, configVersion }) => outcome === 'succeeded' && configVersion === version);
}

const RECORDED = `
  select change_number::float8 as "changeNumber", observer, action from observers.attempt where change_number = any ($1::bigint[])
  union all select change_number, observer, action from observers.pending_delivery where change_number = any ($1::bigint[])
  union all select change_number, observer, action from observers.dead_letter where change_number = any ($1::bigint[])`;

/** The deliveries of these changes of which something is on record; after a crash they are not begun again. */
export async function findRecorded(client: ClientBase | Pool, changeNumbers: readonly number[]): Promise<DeliveryKey[]> {
  const { rows } = await client.query<DeliveryKey>({ name: 'ledger-recorded', text: RECORDED, values: [changeNumbers] });
  return rows;
}
