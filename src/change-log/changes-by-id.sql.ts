import type { ClientBase, Pool } from 'pg';
import { changeNumberIn } from '../event/event-id';

// The log has no index on its ids: each would be paid for by every writer. Ids of ours hold the number, which the primary key finds.
const BY_NUMBER = `
  select pk_entity_change_log::float8 as number from core.tb_entity_change_log where pk_entity_change_log = $1 and id = $2`;
// All others are looked for in the whole table, or by the index that an adopted one has.
const BY_ID = 'select pk_entity_change_log::float8 as number from core.tb_entity_change_log where id = $1';

/** @returns the change number of an event's id, or null */
export async function findChange(client: ClientBase | Pool, eventId: string): Promise<number | null> {
  const number = changeNumberIn(eventId);
  const { rows } = number === null ? { rows: [] } : await client.query<{ number: number }>(BY_NUMBER, [number, eventId]);
  const found = rows[0] ?? (await client.query<{ number: number }>(BY_ID, [eventId])).rows[0];
  return found?.number ?? null;
}
