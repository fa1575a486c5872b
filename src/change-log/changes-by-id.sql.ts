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

const QUARANTINED = `
  select l.id::text, q.change_number::float8 as number
  from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number where l.id = any ($1::uuid[])`;
const QUARANTINED_NUMBERS = `${QUARANTINED} and q.change_number = any ($2::bigint[])`;
const NO_LETTERS = `
  select i.id::text from unnest($1::uuid[]) i(id) where not exists (select from observers.dead_letter d where d.id = i.id)`;

/** Numbers of those changes that are, or have been, in quarantine. @param ids of events; delivery ids may be among them */
export async function findQuarantined(client: ClientBase | Pool, ids: readonly string[]): Promise<number[]> {
  const numbers = ids.flatMap((id) => changeNumberIn(id) ?? []);
  const { rows: found } = await client.query<{ id: string; number: number }>(QUARANTINED_NUMBERS, [ids, numbers]);
  const known = new Set(found.map(({ id }) => id));
  const rest = ids.filter((id) => !known.has(id.toLowerCase()));
  const { rows: foreign } = rest.length === 0 ? { rows: [] } : await client.query<{ id: string }>(NO_LETTERS, [rest]);
  if (foreign.length === 0) return found.map(({ number }) => number);
  const { rows } = await client.query<{ number: number }>(QUARANTINED, [foreign.map(({ id }) => id)]);
  return [...found, ...rows].map(({ number }) => number);
}
