import type { ClientBase } from 'pg';
import type { UnaccountedKey } from './background.sql';

/** A delivery that the audit in the background found missing. Times are RFC 3339. */
export interface UnaccountedDelivery extends UnaccountedKey {
  /** Id of the event; null when its change is no longer stored. */
  readonly event: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  /** That asks for it. */
  readonly version: number;
  readonly foundAt: string;
}

const LIST = `
  select u.change_number::float8 as "changeNumber", u.observer, u.action, u.config_version as version, to_json(u.found_at) #>> '{}' as "foundAt",
         l.id as event, observers.shown(l.object_type) as "entityType", observers.shown(coalesce(l.object_key, l.object_id::text)) as "entityKey"
  from observers.unaccounted u left join core.tb_entity_change_log l on l.pk_entity_change_log = u.change_number
  where u.stream = $1 and u.dismissed_at is null order by u.change_number, u.observer, u.action limit $2`;

/** The oldest changes first. */
export async function listUnaccounted(client: ClientBase, stream: string, limit: number): Promise<UnaccountedDelivery[]> {
  const { rows } = await client.query<UnaccountedDelivery>(LIST, [stream, limit]);
  return rows;
}

/** Null takes all. */
export interface UnaccountedFilter {
  readonly changeNumber: number | null;
  readonly observer: string | null;
  readonly action: string | null;
}

const FILTER = `
  stream = $1 and dismissed_at is null and ($2::bigint is null or change_number = $2) and ($3::text is null or observer = $3)
  and ($4::text is null or action = $4)`;

export async function countUnaccounted(
  client: ClientBase,
  stream: string,
  { changeNumber, observer, action }: UnaccountedFilter,
): Promise<number> {
  const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from observers.unaccounted where ${FILTER}`, [
    stream,
    changeNumber,
    observer,
    action,
  ]);
  return rows[0]?.count ?? 0;
}

const DISMISS = `update observers.unaccounted set dismissed_at = clock_timestamp(), dismissed_by = $5, reason = $6 where ${FILTER}`;

/** Leaves it at that: they stay on record with who decided it, and count no longer. @returns how many */
export async function dismissUnaccounted(
  client: ClientBase,
  stream: string,
  { changeNumber, observer, action }: UnaccountedFilter,
  { who, reason }: { readonly who: string; readonly reason: string | null },
): Promise<number> {
  const { rowCount } = await client.query(DISMISS, [stream, changeNumber, observer, action, who, reason]);
  return rowCount ?? 0;
}
