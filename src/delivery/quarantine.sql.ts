import type { ClientBase, Pool } from 'pg';
import { changeNumberIn } from '../event/event-id';
import type { PendingRecord } from './records';

/** Quarantined changes that a person asked to look at again. */
export async function claimQuarantineRetries(client: ClientBase | Pool, stream: string): Promise<number[]> {
  const { rows } = await client.query<{ change: number }>(
    'select change_number::float8 as change from observers.quarantine where stream = $1 and retry_at is not null order by change_number limit 100',
    [stream],
  );
  return rows.map(({ change }) => change);
}

// Unless whoever asked has taken it back.
const KEEP = `
  with kept as (
    update observers.quarantine q set retry_at = null, reason = $2, message = $3 from core.tb_entity_change_log l
    where q.change_number = $1 and l.pk_entity_change_log = q.change_number and q.retry_at is not null returning l.id
  )
  insert into observers.dead_letter_event (dead_letter_id, what, who, detail, error) select id, 'failed again', $4, $3, $2 from kept`;

/** It is still unreadable, and why. @param who looked */
export async function keepQuarantined(
  client: ClientBase | Pool,
  change: number,
  { reason, message }: { readonly reason: string; readonly message: string },
  who: string,
): Promise<void> {
  await client.query(KEEP, [change, reason, message, who]);
}

const RELEASE = `
  with released as (
    delete from observers.quarantine where change_number = $1 and retry_at is not null returning stream
  ), decided as (
    insert into observers.late_decision (stream, change_number, config_version) select stream, $1, $6 from released
    on conflict (stream, change_number) do update set config_version = excluded.config_version, decided_at = excluded.decided_at, audited = false
  )
  insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at)
  select $1, u.observer, u.action, released.stream, u.endpoint, u.lane, 'retrying', 1, clock_timestamp()
  from released, unnest($2::text[], $3::text[], $4::text[], $5::text[]) as u(observer, action, endpoint, lane)
  on conflict (change_number, observer, action) do nothing`;

export type ReleasedDelivery = Pick<PendingRecord, 'observer' | 'action' | 'endpoint' | 'lane'>;

/**
 * It is an event after all: out of quarantine, its deliveries into the queue, and on record which version decided it, in one statement. Nothing of it
 * when whoever asked has taken it back.
 */
export async function releaseQuarantined(
  client: ClientBase | Pool,
  change: number,
  deliveries: readonly ReleasedDelivery[],
  configVersion: number,
): Promise<void> {
  await client.query(RELEASE, [
    change,
    deliveries.map(({ observer }) => observer),
    deliveries.map(({ action }) => action),
    deliveries.map(({ endpoint }) => endpoint),
    deliveries.map(({ lane }) => lane),
    configVersion,
  ]);
}

const QUARANTINED = `
  select l.id::text, q.change_number::float8 as number
  from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number where l.id = any ($1::uuid[])`;
const QUARANTINED_NUMBERS = `${QUARANTINED} and q.change_number = any ($2::bigint[])`;
const NO_LETTERS = `
  select i.id::text from unnest($1::uuid[]) i(id) where not exists (select from observers.dead_letter d where d.id = i.id)`;

/** Numbers of those changes that are, or have been, in quarantine. @param ids of events; delivery ids may be among them */
export async function findQuarantined(client: ClientBase | Pool, ids: readonly string[]): Promise<number[]> {
  const numbers = ids.flatMap((id) => changeNumberIn(id) ?? []);
  const { rows: found } = await client.query<{ id: string; number: number }>(QUARANTINED_NUMBERS, [ids, numbers]);
  const known = new Set(found.map(({ id }) => id));
  const rest = ids.filter((id) => !known.has(id.toLowerCase()));
  const { rows: foreign } = rest.length === 0 ? { rows: [] } : await client.query<{ id: string }>(NO_LETTERS, [rest]);
  if (foreign.length === 0) return found.map(({ number }) => number);
  const { rows } = await client.query<{ number: number }>(QUARANTINED, [foreign.map(({ id }) => id)]);
  return [...found, ...rows].map(({ number }) => number);
}
