import type { ClientBase } from 'pg';
import { transaction } from '../database/transaction';
import type { PendingRecord } from '../delivery/records';

export interface ReplayState {
  /** Number of the change up to which everything has been asked for. */
  readonly after: number;
  readonly asked: number;
  readonly finished: boolean;
}

const BEGIN = `
  with begun as (insert into observers.replay (id, who) values ($1, $2) on conflict (id) do nothing)
  select after::float8 as after, asked::float8 as asked, finished_at is not null as finished from observers.replay where id = $1`;

/** The signature is the token's own name: of two tokens only equal ones have it. */
export function replayName(token: string): string {
  return token.split('.').at(-1) ?? token;
}

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
  insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, redrive)
  select u.change_number, u.observer, u.action, $6, u.endpoint, u.lane, 'retrying', 1, clock_timestamp(), exists (
    select from observers.dead_letter d
    where d.change_number = u.change_number and d.observer = u.observer and d.action = u.action and d.resolved_at is null)
  from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) as u(change_number, observer, action, endpoint, lane)
  order by u.change_number, u.observer, u.action
  on conflict (change_number, observer, action) do nothing returning change_number::text as "changeNumber", observer, action`;

/** What was queued; what is not among it was under way already. */
export type QueuedDelivery = { readonly changeNumber: string; readonly observer: string; readonly action: string };

/**
 * Queues the deliveries of the changes behind `from` up to `to`, and records that they are: both, or neither.
 *
 * @returns null when the replay does not stand at `from`: somebody else uses the same token
 */
export async function advanceReplay(
  client: ClientBase,
  replay: { readonly id: string; readonly stream: string },
  { from, to }: { readonly from: number; readonly to: number },
  deliveries: readonly ReplayedDelivery[],
): Promise<QueuedDelivery[] | null> {
  return transaction(client, 'begin', async () => {
    const { rowCount } = await client.query(ADVANCE, [replay.id, from, to, deliveries.length]);
    if (rowCount === 0) return null;
    const { rows } = await client.query<QueuedDelivery>(QUEUE, [
      deliveries.map((one) => one.changeNumber),
      deliveries.map((one) => one.observer),
      deliveries.map((one) => one.action),
      deliveries.map((one) => one.endpoint),
      deliveries.map((one) => one.lane),
      replay.stream,
    ]);
    return rows;
  });
}

export async function finishReplay(client: ClientBase, id: string): Promise<void> {
  await client.query('update observers.replay set finished_at = clock_timestamp() where id = $1', [id]);
}
