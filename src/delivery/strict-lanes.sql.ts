import type { ClientBase, Pool } from 'pg';

// The first row of a lane, by change number, is its head; any other is waiting.
const HEADS = `
  select l.lane, h.change_number, h.observer, h.action, h.endpoint, h.state
  from unnest($2::text[]) as l(lane) left join lateral (
    select * from observers.pending_delivery p
    where p.stream = $1 and p.lane = l.lane and p.strict and not p.redrive order by p.change_number limit 1) h on true`;

const PROMOTE = `
  with head as (${HEADS}), promoted as (
    update observers.pending_delivery p set state = case when h.observer = any ($3::text[]) then 'paused' else 'queued' end from head h
    where p.change_number = h.change_number and p.observer = h.observer and p.action = h.action and p.state = 'waiting'
    returning p.lane, p.state
  )
  select h.lane, h.endpoint, coalesce(p.state = 'queued', false) as promoted from head h left join promoted p on p.lane = h.lane`;

export interface Head {
  readonly lane: string;
  /** Null when nothing of this lane is there any more. */
  readonly endpoint: string | null;
  /** Whether it was made the head just now, and is queued: that of a paused observer is not. */
  readonly promoted: boolean;
}

/** Gives each of these lanes a head, where there is somebody left. Can be repeated at any time. @param paused observers whose heads wait */
export async function promoteHeads(
  client: ClientBase | Pool,
  stream: string,
  lanes: readonly string[],
  paused: readonly string[],
): Promise<Head[]> {
  const { rows } = await client.query<Head>({ name: 'strict-promote', text: PROMOTE, values: [stream, lanes, paused] });
  return rows;
}

// The configuration may say something else about an observer than it did when its rows were written.
const MARK = `
  update observers.pending_delivery set strict = (observer = any ($2::text[]))
  where stream = $1 and not redrive and strict <> (observer = any ($2::text[]))`;

const UNMARKED = `
  update observers.pending_delivery
  set state = case state when 'waiting' then 'queued' else 'retrying' end,
      next_attempt_at = case state when 'waiting' then '-infinity' else clock_timestamp() end
  where stream = $1 and not strict and state in ('waiting', 'parked')`;

const BEHIND = `
  update observers.pending_delivery p set state = 'waiting', next_attempt_at = '-infinity'
  where stream = $1 and strict and not redrive and state in ('queued', 'retrying', 'paused') and exists (
    select from observers.pending_delivery e
    where e.stream = p.stream and e.lane = p.lane and e.strict and not e.redrive and e.change_number < p.change_number)`;

const FIRST = `
  with head as (
    select distinct on (lane) change_number, observer, action, state from observers.pending_delivery
    where stream = $1 and strict and not redrive order by lane, change_number
  )
  update observers.pending_delivery p set state = 'queued' from head h
  where p.change_number = h.change_number and p.observer = h.observer and p.action = h.action and h.state = 'waiting'`;

/** For a new leader: every strict lane has one head, and the rest of it waits. */
export async function giveHeads(client: ClientBase | Pool, stream: string): Promise<void> {
  await client.query(FIRST, [stream]);
}

/** Lanes of these observers are strict from now on, and no others: whoever is not the first of a strict one waits. @returns the lanes */
export async function markStrictLanes(client: ClientBase | Pool, stream: string, strict: readonly string[]): Promise<string[]> {
  await client.query(MARK, [stream, strict]);
  for (const statement of [UNMARKED, BEHIND]) await client.query(statement, [stream]);
  const { rows } = await client.query<{ lane: string }>(
    'select distinct lane from observers.pending_delivery where stream = $1 and strict and not redrive',
    [stream],
  );
  return rows.map(({ lane }) => lane);
}
