import type { ClientBase, Pool } from 'pg';

/** That a person wants a circuit breaker closed. Breakers live in the memory of the instance that leads, which may be anywhere. */
export interface AskedReset {
  readonly endpoint: string;
  readonly askedBy: string;
  readonly reason: string | null;
}

/** The same as the leader finds it. */
export interface WaitingReset extends AskedReset {
  /** The program that it came by. */
  readonly via: string;
}

const ASK = `
  insert into observers.breaker_reset (stream, endpoint, asked_by, reason) values ($1, $2, $3, $4)
  on conflict (stream, endpoint) do update
  set asked_at = clock_timestamp(), asked_by = excluded.asked_by, reason = excluded.reason, via = excluded.via, done_at = null,
      was = null`;

export async function askForReset(client: ClientBase | Pool, stream: string, { endpoint, askedBy, reason }: AskedReset): Promise<void> {
  await client.query(ASK, [stream, endpoint, askedBy, reason]);
}

/** What has not been done. */
export async function readResets(client: ClientBase | Pool, stream: string): Promise<WaitingReset[]> {
  const { rows } = await client.query<WaitingReset>({
    name: 'breaker-resets',
    text: 'select endpoint, asked_by as "askedBy", reason, via from observers.breaker_reset where stream = $1 and done_at is null',
    values: [stream],
  });
  return rows;
}

/** @param was the state before; null when there is no such breaker */
export async function noteReset(client: ClientBase | Pool, stream: string, endpoint: string, was: string | null): Promise<void> {
  await client.query(
    'update observers.breaker_reset set done_at = clock_timestamp(), was = $3 where stream = $1 and endpoint = $2 and done_at is null',
    [stream, endpoint, was],
  );
}

/** Nobody is to do it any more. @returns false when it was done meanwhile */
export async function withdrawReset(client: ClientBase | Pool, stream: string, endpoint: string): Promise<boolean> {
  const { rowCount } = await client.query(
    "update observers.breaker_reset set done_at = clock_timestamp(), was = 'withdrawn' where stream = $1 and endpoint = $2 and done_at is null",
    [stream, endpoint],
  );
  return rowCount === 1;
}

/** Null while it is not done. */
export async function readDone(
  client: ClientBase | Pool,
  stream: string,
  endpoint: string,
): Promise<{ readonly was: string | null } | null> {
  const { rows } = await client.query<{ was: string | null }>(
    'select was from observers.breaker_reset where stream = $1 and endpoint = $2 and done_at is not null',
    [stream, endpoint],
  );
  return rows[0] ?? null;
}
