import type { ClientBase } from 'pg';
import type { Snapshot } from '../checkpoint/cursor';
import { findChange } from './changes-by-id.sql';

/** Which stored changes; null does not narrow them down. */
export interface ChangeRange {
  readonly entityType: string | null;
  readonly entityKey: string | null;
  /** Written then or later, and before then: RFC 3339. */
  readonly after: string | null;
  readonly before: string | null;
  /** Change numbers, both included. */
  readonly fromChange: number | null;
  readonly toChange: number | null;
  /** Single events, by their ids or change numbers. */
  readonly events: readonly string[] | null;
}

// By the primary key, page after page. Rows without a transaction are history from before us: never delivered, hence never replayed.
const SELECT = `
  select pk_entity_change_log::float8 as number from core.tb_entity_change_log
  where pk_entity_change_log > $1 and change_xid is not null and pg_visible_in_snapshot(change_xid, $2::pg_snapshot)
    and ($3::text is null or object_type = $3) and ($4::text is null or coalesce(object_key, object_id::text) = $4)
    and ($5::timestamptz is null or created_at >= $5) and ($6::timestamptz is null or created_at < $6)
    and ($7::bigint is null or pk_entity_change_log >= $7) and ($8::bigint is null or pk_entity_change_log <= $8)
    and ($9::bigint[] is null or pk_entity_change_log = any ($9))
  order by pk_entity_change_log limit $10`;

/** Numbers of the next changes of the range behind `behind`, of those that the snapshot sees. */
export async function selectChanges(
  client: ClientBase,
  range: ChangeRange,
  snapshot: Snapshot,
  behind: number,
  limit: number,
): Promise<number[]> {
  const { entityType, entityKey, after, before, fromChange, toChange, events } = range;
  const changes = events === null ? null : await numbersOf(client, events);
  const values = [behind, snapshot, entityType, entityKey, after, before, fromChange, toChange, changes, limit];
  const { rows } = await client.query<{ number: number }>(SELECT, values);
  return rows.map(({ number }) => number);
}

/** Those that are no events are none of the range. */
async function numbersOf(client: ClientBase, events: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const event of events) {
    const change = /^\d+$/.test(event) ? Number(event) : await findChange(client, event);
    if (change !== null) found.push(change);
  }
  return found;
}
