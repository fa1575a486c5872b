import type { Pool } from 'pg';

export interface GoneEndpoint {
  readonly endpoint: string;
  /** Hash of the URL that the mark is about. */
  readonly urlHash: string;
  readonly since: Date;
}

export async function readGone(pool: Pool, stream: string): Promise<GoneEndpoint[]> {
  const { rows } = await pool.query<GoneEndpoint>(
    'select endpoint, url_hash as "urlHash", since from observers.gone_endpoint where stream = $1',
    [stream],
  );
  return rows;
}

export async function markGone(pool: Pool, stream: string, { endpoint, urlHash, since }: GoneEndpoint): Promise<void> {
  await pool.query(
    `insert into observers.gone_endpoint (stream, endpoint, url_hash, since) values ($1, $2, $3, $4)
     on conflict (stream, endpoint) do update set url_hash = excluded.url_hash, since = excluded.since`,
    [stream, endpoint, urlHash, since],
  );
}

export async function forgetGone(pool: Pool, stream: string, endpoint: string): Promise<void> {
  await pool.query('delete from observers.gone_endpoint where stream = $1 and endpoint = $2', [stream, endpoint]);
}
