import type { ClientBase } from 'pg';
import type { PendingState } from '../event/pending-state';
import { goesAt, stateOf } from './alive.sql';

/** A delivery that is not finished. */
export interface WaitingDelivery {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
  readonly endpoint: string;
  /** Null, as the next one, when its change is stored no longer. */
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly state: PendingState;
  /** RFC 3339: when it goes, or its next try does; null where no time is set. */
  readonly goesAt: string | null;
  /** The attempt that comes next, or is under way. */
  readonly attempt: number;
  /** How many changes it stands for; null where its observer does not debounce. */
  readonly collapsed: number | null;
  /** A person asked for it. */
  readonly redrive: boolean;
}

/** Null does not narrow it down. */
export interface PendingFilter {
  readonly observer: string | null;
  readonly action: string | null;
  readonly endpoint: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly state: PendingState | null;
}

const MATCHING = `
  from observers.pending_delivery p left join core.tb_entity_change_log l on l.pk_entity_change_log = p.change_number
  where p.stream = $1 and ($2::text is null or p.observer = $2) and ($3::text is null or p.action = $3) and ($4::text is null or p.endpoint = $4)
    and ($5::text is null or l.object_type = $5) and ($6::text is null or coalesce(l.object_key, l.object_id::text) = $6)
    and ($7::text is null or ${stateOf('p')} = $7)`;

// What is due or under way stands first, and what has no time last.
const LIST = `
  select p.change_number::float8 as "changeNumber", p.observer, p.action, p.endpoint, left(observers.shown(l.object_type), 1000) as "entityType",
         left(observers.shown(coalesce(l.object_key, l.object_id::text)), 1000) as "entityKey", ${stateOf('p')} as state,
         to_json(${goesAt('p')}) #>> '{}' as "goesAt",
         p.attempt, p.collapsed, p.redrive
  ${MATCHING} order by p.next_attempt_at, p.change_number, p.observer, p.action limit $8`;

/** The next one first. */
export async function listPending(client: ClientBase, stream: string, filter: PendingFilter, limit: number): Promise<WaitingDelivery[]> {
  const { rows } = await client.query<WaitingDelivery>(LIST, [...valuesOf(stream, filter), limit]);
  return rows;
}

export async function countPending(client: ClientBase, stream: string, filter: PendingFilter): Promise<number> {
  const { rows } = await client.query<{ count: number }>(`select count(*)::int as count ${MATCHING}`, valuesOf(stream, filter));
  return rows[0]?.count ?? 0;
}

function valuesOf(stream: string, { observer, action, endpoint, entityType, entityKey, state }: PendingFilter): (string | null)[] {
  return [stream, observer, action, endpoint, entityType, entityKey, state];
}
