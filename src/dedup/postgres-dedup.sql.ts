import type { ClientBase, Pool } from 'pg';
import { DedupStore, type Claim, type DedupKey } from './dedup-store';

// One statement is the atomic claim. Whoever does not get it is told why, from the row that is in the way.
const CLAIM = `
  with claimed as (
    insert into observers.dedup as d (observer, action, key, change_number, state, expires_at)
    values ($1, $2, $3, $4, 'processing', clock_timestamp() + $5::float8 * interval '1 ms')
    on conflict (observer, action, key) do update
    set change_number = excluded.change_number, state = 'processing', expires_at = excluded.expires_at
    where d.expires_at < clock_timestamp() or d.state = 'processing' and d.change_number = excluded.change_number
    returning 1
  )
  select 'granted' as is, null as "changeNumber", null as left from claimed
  union all
  select case state when 'done' then 'done' else 'busy' end, change_number::float8,
         extract(epoch from expires_at - clock_timestamp())::float8 * 1000
  from observers.dedup where observer = $1 and action = $2 and key = $3 and not exists (select from claimed)`;

const DONE = `
  update observers.dedup set state = 'done', expires_at = clock_timestamp() + $5::float8 * interval '1 ms'
  where observer = $1 and action = $2 and key = $3 and change_number = $4`;

const RELEASE = `
  delete from observers.dedup where observer = $1 and action = $2 and key = $3 and change_number = $4 and state = 'processing'`;

/** Whoever had the key when this was looked at has let go of it meanwhile. */
const AGAIN_SOON = 50;

/** Outlives processes, and costs two round trips a delivery. */
export class PostgresDedup extends DedupStore {
  constructor(private readonly pool: Pool) {
    super();
  }

  async claim(key: DedupKey, lease: number): Promise<Claim> {
    const { rows } = await this.pool.query<Claim>({ name: 'dedup-claim', text: CLAIM, values: [...values(key), lease] });
    return rows[0] ?? { is: 'busy', changeNumber: key.changeNumber, left: AGAIN_SOON };
  }

  async done(key: DedupKey, window: number): Promise<void> {
    await this.pool.query({ name: 'dedup-done', text: DONE, values: [...values(key), window] });
  }

  async release(key: DedupKey): Promise<void> {
    await this.pool.query({ name: 'dedup-release', text: RELEASE, values: values(key) });
  }
}

function values({ observer, action, key, changeNumber }: DedupKey): unknown[] {
  return [observer, action, key, changeNumber];
}

const EXPIRED = `
  delete from observers.dedup where (observer, action, key) in (
    select observer, action, key from observers.dedup where expires_at < clock_timestamp() - interval '1 min' order by expires_at limit $1)`;

/** @returns how many keys were forgotten */
export async function forgetExpiredKeys(client: ClientBase, batch: number): Promise<number> {
  const { rowCount } = await client.query(EXPIRED, [batch]);
  return rowCount ?? 0;
}
