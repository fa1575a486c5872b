import type { ClientBase, Pool } from 'pg';

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
export async function resumeObserver(client: ClientBase | Pool, stream: string, observer: string): Promise<boolean> {
  const { rowCount } = await client.query('delete from observers.paused_observer where stream = $1 and observer = $2', [stream, observer]);
  return rowCount === 1;
}

// What a person has asked for (a redrive) goes on; what is under way ends.
const HOLD = `
  with held as (
    update observers.pending_delivery p set state = 'paused'
    from (select change_number, observer, action, state from observers.pending_delivery
          where stream = $1 and observer = any ($2::text[]) and state in ('queued', 'retrying') and not redrive for update) o
    where p.change_number = o.change_number and p.observer = o.observer and p.action = o.action
    returning p.endpoint, o.state as was
  )
  select endpoint, count(*) filter (where was = 'queued')::int as queued from held group by endpoint`;

// In the order in which they came, or at the time for which they were to be tried again.
const RELEASE = `
  with released as (
    update observers.pending_delivery set state = case next_attempt_at when '-infinity' then 'queued' else 'retrying' end
    where stream = $1 and state = 'paused' and observer <> all ($2::text[]) returning endpoint, state
  )
  select endpoint, count(*) filter (where state = 'queued')::int as queued from released group by endpoint`;

/** Queued deliveries, by endpoint. */
export type Moved = readonly { readonly endpoint: string; readonly queued: number }[];

/** Puts what waits of these observers aside. @returns what is queued no longer */
export async function holdPaused(client: ClientBase | Pool, stream: string, paused: readonly string[]): Promise<Moved> {
  return (await client.query<{ endpoint: string; queued: number }>(HOLD, [stream, paused])).rows;
}

/** Lets go on what was put aside of all others. @returns what is queued now */
export async function releaseResumed(client: ClientBase | Pool, stream: string, paused: readonly string[]): Promise<Moved> {
  return (await client.query<{ endpoint: string; queued: number }>(RELEASE, [stream, paused])).rows;
}
