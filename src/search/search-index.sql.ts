import type { ClientBase } from 'pg';

interface Place {
  readonly stream: string;
  readonly index: string;
}

/** A document that Elasticsearch has refused for good. */
export interface ParkedDocument {
  readonly change: number;
  /** HTTP's. */
  readonly status: number;
  /** In the words of Elasticsearch. */
  readonly reason: string;
  readonly tries: number;
  /** RFC 3339. */
  readonly parkedAt: string;
  /** A person has asked for another try. */
  readonly retry: boolean;
  /** Null when the change is no longer stored. */
  readonly entityType: string | null;
  readonly entityKey: string | null;
}

const PARKED = `
  select p.change_number::float8 as change, p.status, p.reason, p.tries, to_json(p.parked_at) #>> '{}' as "parkedAt", p.retry,
         observers.shown(l.object_type) as "entityType", observers.shown(coalesce(l.object_key, l.object_id::text)) as "entityKey"
  from observers.search_parked p left join core.tb_entity_change_log l on l.pk_entity_change_log = p.change_number
  where p.stream = $1 and p.index_name = $2 order by p.change_number, p.generation limit $3`;

export async function listParked(client: ClientBase, { stream, index }: Place, limit: number): Promise<ParkedDocument[]> {
  const { rows } = await client.query<ParkedDocument>(PARKED, [stream, index, limit]);
  return rows;
}

const RETRY = `
  update observers.search_parked set retry = true
  where stream = $1 and index_name = $2 and ($3::bigint[] is null or change_number = any ($3))`;

export async function retryParked(client: ClientBase, { stream, index }: Place, changes: readonly number[] | null): Promise<number> {
  const { rowCount } = await client.query(RETRY, [stream, index, changes]);
  return rowCount ?? 0;
}

// One that was being built is given up: its indices are removed by the leader.
const REBUILD = `
  with given_up as (
    delete from observers.search_feed where stream = $1 and index_name = $2 and state = 'building'
  ), last as (
    select max(generation) as generation from observers.search_feed where stream = $1 and index_name = $2
  )
  insert into observers.search_feed (stream, index_name, generation, state, since, system_identifier, previous)
  select $1, $2, generation + 1, 'building', $3::timestamptz, (select system_identifier::text from pg_control_system()), '1:1:' from last where generation is not null
  returning generation`;

/** @returns the new generation; null when there is none yet */
export async function askRebuild(client: ClientBase, { stream, index }: Place, since: string | null): Promise<number | null> {
  await client.query('select from observers.search_feed where stream = $1 and index_name = $2 for update', [stream, index]);
  const { rows } = await client.query<{ generation: number }>(REBUILD, [stream, index, since]);
  return rows[0]?.generation ?? null;
}
