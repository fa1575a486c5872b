import type { ClientBase, Pool } from 'pg';
import type { Claimant } from './job-queue';

const DUE = `
  select clock_timestamp()::text as until where exists (
    select from observers.pending_delivery where stream = $1 and state = 'scheduled' and next_attempt_at <= clock_timestamp())`;

/** @returns the database's time, when something is due by then; null otherwise */
export async function findDue(client: ClientBase | Pool, stream: string): Promise<string | null> {
  const { rows } = await client.query<{ until: string }>({ name: 'scheduled-due', text: DUE, values: [stream] });
  return rows[0]?.until ?? null;
}

/** So many are queued by one statement; the rest is due still. */
const RELEASED = 5_000;

// The fence, as a claim has it. Whoever replaces or cancels one of these at this moment has its lock, and it is gone when that ends.
const RELEASE = `
  with fence as materialized (
    select from observers.lease where stream = $1 and epoch = $2 for share
  ), due as materialized (
    select change_number, observer, action from observers.pending_delivery
    where stream = $1 and state = 'scheduled' and next_attempt_at <= $3::timestamptz
    order by next_attempt_at, change_number limit ${RELEASED} for update
  ), released as (
    update observers.pending_delivery p
    set state = case when p.observer = any ($4::text[]) then 'paused' else 'queued' end, next_attempt_at = '-infinity'
    from fence, due d where p.change_number = d.change_number and p.observer = d.observer and p.action = d.action returning p.endpoint, p.state
  )
  select distinct endpoint from released where state = 'queued'`;

/** Queues what is due by `until`. @returns endpoints of which something is queued now */
export async function releaseDue(
  client: ClientBase | Pool,
  { stream, epoch }: Pick<Claimant, 'stream' | 'epoch'>,
  until: string,
  paused: readonly string[],
): Promise<string[]> {
  const { rows } = await client.query<{ endpoint: string }>({
    name: 'scheduled-release',
    text: RELEASE,
    values: [stream, epoch, until, paused],
  });
  return rows.map(({ endpoint }) => endpoint);
}
