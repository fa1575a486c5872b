import type { ClientBase, Pool } from 'pg';
import { askedBy } from '../database/operation.sql';

export interface PausedObserver {
  readonly observer: string;
  /** RFC 3339. */
  readonly since: string;
  readonly by: string;
  readonly reason: string | null;
}

export async function readPaused(client: ClientBase | Pool, stream: string): Promise<PausedObserver[]> {
  const { rows } = await client.query<PausedObserver>({
    name: 'paused-observers',
    text: `select observer, to_json(since) #>> '{}' as since, paused_by as by, reason from observers.paused_observer where stream = $1 order by observer`,
    values: [stream],
  });
  return rows;
}

/** Their names alone. */
export async function readPausedNames(client: ClientBase | Pool, stream: string): Promise<string[]> {
  return (await readPaused(client, stream)).map(({ observer }) => observer);
}

/** @returns false when it was paused already */
export async function pauseObserver(
  client: ClientBase | Pool,
  stream: string,
  observer: string,
  by: string,
  reason: string | null,
): Promise<boolean> {
  const { rowCount } = await client.query(
    'insert into observers.paused_observer (stream, observer, paused_by, reason) values ($1, $2, $3, $4) on conflict do nothing',
    [stream, observer, by, reason],
  );
  return rowCount === 1;
}

/** @returns false when it was not paused */
export async function resumeObserver(client: ClientBase | Pool, stream: string, observer: string, by: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `delete from observers.paused_observer using ${askedBy('$3')} asked where stream = $1 and observer = $2 and asked.who is not null`,
    [stream, observer, by],
  );
  return rowCount === 1;
}

/** What waits of an observer that goes on. */
export interface Resumed {
  /** Deliveries that are sent as places are free, or when the ones before them in their lanes have succeeded. */
  readonly waiting: number;
  /** Heads of strict lanes that have failed for good: a person decides, lane by lane. */
  readonly parked: number;
  /** Deliveries behind these. */
  readonly behind: number;
}

const RESUMED = `
  with own as materialized (select lane, state from observers.pending_delivery where stream = $1 and observer = $2),
  judged as (
    select case when state = 'parked' then 'parked'
                when state = 'waiting' and lane in (select lane from own where state = 'parked') then 'behind' else 'waiting' end as what from own
  )
  select count(*) filter (where what = 'waiting')::int as waiting, count(*) filter (where what = 'parked')::int as parked,
         count(*) filter (where what = 'behind')::int as behind from judged`;

export async function countResumed(client: ClientBase | Pool, stream: string, observer: string): Promise<Resumed> {
  const { rows } = await client.query<Resumed>(RESUMED, [stream, observer]);
  return rows[0] ?? { waiting: 0, parked: 0, behind: 0 };
}

// What is under way ends. What a person has asked for (a redrive) waits too when it was asked for before the pause: a pause has to hold a bulk retry.
// Who asks for one while the observer is paused wants to see what comes of it.
const HOLD = `
  update observers.pending_delivery p set state = 'paused'
  where stream = $1 and observer = any ($2::text[]) and state in ('queued', 'retrying') and (not redrive or exists (
    select from observers.paused_observer o where o.stream = p.stream and o.observer = p.observer and p.created_at < o.since))`;

// In the order in which they came, or at the time for which they were to be tried again.
const RELEASE = `
  with released as (
    update observers.pending_delivery set state = case next_attempt_at when '-infinity' then 'queued' else 'retrying' end
    where stream = $1 and state = 'paused' and observer <> all ($2::text[]) returning endpoint, state
  )
  select distinct endpoint from released where state = 'queued'`;

/** Puts what waits of these observers aside. */
export async function holdPaused(client: ClientBase | Pool, stream: string, paused: readonly string[]): Promise<void> {
  await client.query(HOLD, [stream, paused]);
}

/** Lets go on what was put aside of all others. @returns endpoints of which deliveries are queued now */
export async function releaseResumed(client: ClientBase | Pool, stream: string, paused: readonly string[]): Promise<string[]> {
  return (await client.query<{ endpoint: string }>(RELEASE, [stream, paused])).rows.map(({ endpoint }) => endpoint);
}
