import type { TermContext } from '../event/term-context';
import type { ClientBase, Pool } from 'pg';
import type { AttemptRecord, DeliveryKey, Group } from './records';
import { storable } from './storable';

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
      from unnest($8::bigint[], $9::text[], $10::text[], $11::int[], $12::smallint[], $13::real[], $14::float8[]${rest.arrays})
        as u(change_number, observer, action, attempt, status, duration_ms, age${rest.names})) a
  ), checkpoint as (
    update observers.checkpoint set previous = $5::pg_snapshot, target = $6::pg_snapshot, after = $7::bigint, updated_at = now()
    from fence where checkpoint.stream = fence.stream and $5::pg_snapshot is not null
  )`;

// Most groups hold nothing but successes of one version: the short statement saves them half of the arrays, and the planning of the long one.
const WRITE_SUCCESSES = write({ values: "'succeeded', null, null, status, null", arrays: '', names: '', version: '$4::int' });
const WRITE_ANY = write({
  values: 'outcome, error, message, status, response',
  arrays: ', $15::text[], $16::text[], $17::text[], $18::text[], $51::int[]',
  names: ', outcome, error, message, response, config_version',
  // $4 is there to have a type.
  version: 'coalesce(config_version, $4::int)',
});

const WRITE_FAILURES = `, pending as (
    insert into observers.pending_delivery as p (change_number, observer, action, stream, endpoint, lane, state, attempt, first_attempt_at,
                                                 next_attempt_at, claimed_by, claimed_until, redrive, strict)
    select u.change_number, u.observer, u.action, fence.stream, u.endpoint, u.lane, u.state, u.attempt, now() - u.elapsed * interval '1 ms',
           case when u.state in ('queued', 'waiting') or u.state = 'paused' and u.after = 0 then '-infinity' when u.state = 'parked' then 'infinity' else now() + u.after * interval '1 ms' end, case when u.claim is not null then $3 end, now() + u.claim * interval '1 ms', u.redrive, u.strict
    from fence, unnest($19::bigint[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::int[], $26::float8[], $27::float8[],
                       $28::float8[], $29::bool[], $50::bool[]) as u(change_number, observer, action, endpoint, lane, state, attempt, elapsed, after, claim, redrive, strict)
    on conflict (change_number, observer, action) do update
    set state = excluded.state, attempt = excluded.attempt, first_attempt_at = coalesce(p.first_attempt_at, excluded.first_attempt_at),
        next_attempt_at = excluded.next_attempt_at, claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until, strict = excluded.strict
  ), ended as (
    delete from observers.pending_delivery p using fence, unnest($30::bigint[], $31::text[], $32::text[]) as u(change_number, observer, action)
    where p.change_number = u.change_number and p.observer = u.observer and p.action = u.action
  ), dead as (
    insert into observers.dead_letter as d (id, change_number, event_id, observer, action, stream, endpoint, entity_type, entity_key, error, message,
                                            status, response, attempts, config_version)
    select u.id, u.change_number, u.event_id, u.observer, u.action, fence.stream, u.endpoint, u.entity_type, u.entity_key, u.error, u.message,
           u.status, u.response, u.attempts, u.config_version
    from fence, unnest($33::uuid[], $34::bigint[], $35::uuid[], $36::text[], $37::text[], $38::text[], $39::text[], $40::text[], $41::text[], $42::text[],
                       $43::smallint[], $44::text[], $45::int[], $52::int[])
      as u(id, change_number, event_id, observer, action, endpoint, entity_type, entity_key, error, message, status, response, attempts, config_version)
    on conflict (id) do update
    set error = excluded.error, message = excluded.message, status = excluded.status, response = excluded.response, attempts = excluded.attempts,
        config_version = excluded.config_version, died_at = excluded.died_at, resolved_at = null, resolution = null
    returning id, (xmax = 0) as first, message
  ), dead_events as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail)
    select id, case when first then 'died' else 'failed again' end, $3, message from dead
    union all
    select u.id, 'delivered', $3, null from fence, unnest($46::uuid[]) as u(id)
  ), redriven as (
    update observers.dead_letter d set resolved_at = now(), resolution = 'delivered' from fence, unnest($46::uuid[]) as u(id) where d.id = u.id
  ), quarantined as (
    insert into observers.quarantine (change_number, stream, reason, message)
    select u.change_number, fence.stream, u.reason, u.message from fence, unnest($47::bigint[], $48::text[], $49::text[]) as u(change_number, reason, message)
    on conflict (change_number) do nothing
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
    ...attemptColumns(attempts, now),
  ];
  const { rows } = await client.query<{ fenced: number }>(
    onlySuccesses(group)
      ? { name: 'ledger-successes', text: WRITE_SUCCESSES + RESULT, values }
      : { name: 'ledger-group', text: WRITE_ANY + WRITE_FAILURES + RESULT, values: [...values, ...failureColumns(group)] },
  );
  return rows[0]?.fenced === 1;
}

function onlySuccesses({ attempts, pending, ended, deadLetters, redriven, quarantine }: Group): boolean {
  const others = pending.length + ended.length + deadLetters.length + redriven.length + quarantine.length;
  const version = attempts[0]?.configVersion;
  return others === 0 && attempts.every(({ outcome, configVersion }) => outcome === 'succeeded' && configVersion === version);
}

function attemptColumns(attempts: readonly AttemptRecord[], now: number): string[] {
  return [
    array(attempts, (a) => a.changeNumber),
    array(attempts, (a) => a.observer),
    array(attempts, (a) => a.action),
    array(attempts, (a) => a.attempt),
    array(attempts, (a) => a.status),
    array(attempts, (a) => a.durationMs),
    array(attempts, (a) => now - a.finishedAt),
  ];
}

/** An array's text; the driver's own takes 2 µs an event more for these seven. */
function array<T>(items: readonly T[], value: (item: T) => string | number | null): string {
  const text = (item: T): string => {
    const plain = value(item);
    return typeof plain === 'string' ? `"${plain.replace(/["\\]/g, '\\$&')}"` : String(plain);
  };
  return `{${items.map(text).join(',')}}`;
}

function failureColumns({ attempts, pending, ended, deadLetters, redriven, quarantine }: Group): unknown[] {
  return [
    attempts.map((a) => a.outcome),
    attempts.map((a) => a.error),
    attempts.map((a) => storable(a.message)),
    attempts.map((a) => storable(a.response)),
    ...keys(pending),
    pending.map((p) => p.endpoint),
    pending.map((p) => storable(p.lane)),
    pending.map((p) => p.state),
    pending.map((p) => p.attempt),
    pending.map((p) => p.elapsed),
    pending.map((p) => p.after),
    pending.map((p) => p.claim),
    pending.map((p) => p.redrive),
    ...keys(ended),
    deadLetters.map((d) => d.id),
    deadLetters.map((d) => d.changeNumber),
    deadLetters.map((d) => d.eventId),
    deadLetters.map((d) => d.observer),
    deadLetters.map((d) => d.action),
    deadLetters.map((d) => d.endpoint),
    deadLetters.map((d) => d.entityType),
    deadLetters.map((d) => d.entityKey),
    deadLetters.map((d) => d.error),
    deadLetters.map((d) => storable(d.message)),
    deadLetters.map((d) => d.status),
    deadLetters.map((d) => storable(d.response)),
    deadLetters.map((d) => d.attempts),
    redriven,
    quarantine.map((q) => q.changeNumber),
    quarantine.map((q) => q.reason),
    quarantine.map((q) => storable(q.message)),
    pending.map((p) => p.strict),
    attempts.map((a) => a.configVersion),
    deadLetters.map((d) => d.configVersion),
  ];
}

function keys(records: readonly DeliveryKey[]): unknown[] {
  return [records.map((r) => r.changeNumber), records.map((r) => r.observer), records.map((r) => r.action)];
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
