import type { ClientBase } from 'pg';
import { transaction } from '../database/transaction';
import type { PendingRecord } from '../delivery/records';
import { KEEPING } from '../delivery/retention.sql';
import { requireWanted } from './set-token';

export interface ReplayState {
  /** Number of the change up to which everything has been asked for. */
  readonly after: number;
  readonly asked: number;
  readonly finished: boolean;
}

// From its end on, what it has still to send is not cut from the log: a batch that is being cut ends first.
const BEGIN = `
  with begun as (insert into observers.replay (id, who) select $1, $2 from (${KEEPING}) kept on conflict (id) do nothing)
  select after::float8 as after, asked::float8 as asked, finished_at is not null as finished from observers.replay where id = $1`;

/** Whether a service has run with the observers file of this hash, and so knows what to send. */
export async function hasRun(client: ClientBase, hash: string): Promise<boolean> {
  const { rowCount } = await client.query('select from observers.config_version where hash = $1', [hash]);
  return (rowCount ?? 0) > 0;
}

/** Where a replay stands: at its beginning, or where it was stopped. */
export async function beginReplay(client: ClientBase, id: string, who: string): Promise<ReplayState> {
  const { rows } = await client.query<ReplayState>(BEGIN, [id, who]);
  return rows[0] ?? { after: 0, asked: 0, finished: false };
}

export type ReplayedDelivery = Pick<PendingRecord, 'changeNumber' | 'observer' | 'action' | 'endpoint' | 'lane'>;

const ADVANCE = 'update observers.replay set after = $3, asked = asked + $4 where id = $1 and after = $2 and finished_at is null';

// One that lies dead is redriven by it, as by dlq retry: one try, and out of the queue when it succeeds. All others are tried again by
// their observer's policy. What is under way already is not begun twice.
const QUEUE = `
  with queued as (
    insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, redrive, item_set)
    select u.change_number, u.observer, u.action, $6, u.endpoint, u.lane, 'retrying', coalesce(d.attempts, 0) + 1, clock_timestamp(), d.id is not null, $7
    from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) as u(change_number, observer, action, endpoint, lane)
    left join observers.dead_letter d
      on d.change_number = u.change_number and d.observer = u.observer and d.action = u.action and d.resolved_at is null
    order by u.change_number, u.observer, u.action
    on conflict (change_number, observer, action) do nothing returning change_number, observer, action, endpoint, redrive
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail, item_set)
    select d.id, 'retry asked for', $8, 'replay ' || $7, $7 from queued q join observers.dead_letter d using (change_number, observer, action)
    where q.redrive and d.resolved_at is null
  )
  select change_number::text as "changeNumber", observer, action, endpoint from queued order by queued.change_number, observer, action`;

/** What was queued; what is not among it was under way already. */
export type QueuedDelivery = {
  readonly changeNumber: string;
  readonly observer: string;
  readonly action: string;
  readonly endpoint: string;
};

/**
 * Queues the deliveries of the changes behind `from` up to `to`, and records that they are: both, or neither.
 *
 * @returns null when the replay does not stand at `from`: somebody else uses the same token
 * @throws SetTakenBack
 */
export async function advanceReplay(
  client: ClientBase,
  replay: { readonly id: string; readonly stream: string; readonly who: string },
  { from, to }: { readonly from: number; readonly to: number },
  deliveries: readonly ReplayedDelivery[],
): Promise<QueuedDelivery[] | null> {
  return transaction(client, 'begin', async () => {
    await requireWanted(client, replay.id);
    const { rowCount } = await client.query(ADVANCE, [replay.id, from, to, deliveries.length]);
    if (rowCount === 0) return null;
    const { rows } = await client.query<QueuedDelivery>(QUEUE, [
      deliveries.map((one) => one.changeNumber),
      deliveries.map((one) => one.observer),
      deliveries.map((one) => one.action),
      deliveries.map((one) => one.endpoint),
      deliveries.map((one) => one.lane),
      replay.stream,
      replay.id,
      replay.who,
    ]);
    return rows;
  });
}

export async function finishReplay(client: ClientBase, id: string): Promise<void> {
  await client.query('update observers.replay set finished_at = clock_timestamp() where id = $1', [id]);
}

const DELIVERED = `
  select change_number::float8 as "changeNumber", observer, action, to_json(max(finished_at)) #>> '{}' as at from observers.attempt
  where change_number = any ($1::bigint[]) and outcome in ('succeeded', 'skipped') group by change_number, observer, action`;

export interface DeliveredBefore {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
  /** RFC 3339. */
  readonly at: string;
}

/** What of these changes has been delivered, or needed no delivery, as far as its tries are on record. */
export async function findDelivered(client: ClientBase, changes: readonly number[]): Promise<DeliveredBefore[]> {
  const { rows } = await client.query<DeliveredBefore>(DELIVERED, [changes]);
  return rows;
}
