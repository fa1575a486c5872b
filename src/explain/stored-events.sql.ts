import type { ClientBase, Pool } from 'pg';
import { passed } from '../checkpoint/config-period.sql';
import type { HistoryFilter } from './facts.sql';

/** A change as a list has it: its images, which may have megabytes, stay where they are. */
export interface StoredEvent {
  readonly changeNumber: number;
  readonly id: string;
  readonly entityType: string;
  readonly entityKey: string;
  readonly kind: string;
  readonly tenant: string | null;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly state: 'processed' | 'waiting' | 'quarantined' | 'ignored' | 'history';
  readonly pending: number;
  readonly dead: number;
}

// The key is asked for by the expression of the index that docs/capture.md offers.
const LIST = `
  select l.pk_entity_change_log::float8 as "changeNumber", l.id::text, observers.shown(l.object_type) as "entityType",
    observers.shown(coalesce(l.object_key, l.object_id::text, '')) as "entityKey", observers.shown(lower(l.modification_type)) as kind, l.tenant_id as tenant,
    to_json(l.created_at) #>> '{}' as timestamp,
    case when l.change_xid is null then 'history' when l.modification_type in ('NOOP', 'READ') then 'ignored'
         when exists (select from observers.quarantine q where q.change_number = l.pk_entity_change_log and q.stream = $1 and q.resolved_at is null)
           then 'quarantined'
         when coalesce((select ${passed('c', 'l')} from observers.checkpoint c where c.stream = $1), false) then 'processed' else 'waiting' end as state,
    (select count(*)::int from observers.pending_delivery p where p.change_number = l.pk_entity_change_log and p.stream = $1) as pending,
    (select count(*)::int from observers.dead_letter d where d.change_number = l.pk_entity_change_log and d.stream = $1 and d.resolved_at is null) as dead
  from core.tb_entity_change_log l
  where ($2::bigint is null or l.pk_entity_change_log < $2) and ($3::text is null or l.object_type = $3)
    and ($4::text is null or coalesce(l.object_key, l.object_id::text) = $4)
    and ($5::text is null or l.modification_type = $5) and ($7::text[] is null or l.tenant_id::text = any ($7))
  order by l.pk_entity_change_log desc limit $6`;

/** Newest first. @param behind the change number of the last one of the page before @param tenants null: of all, and of none */
export async function listEvents(
  client: ClientBase | Pool,
  stream: string,
  filter: HistoryFilter,
  behind: number | null,
  limit: number,
  tenants: readonly string[] | null = null,
): Promise<StoredEvent[]> {
  const { entityType, entityKey, kind } = filter;
  const { rows } = await client.query<StoredEvent>(LIST, [
    stream,
    behind,
    entityType,
    entityKey,
    kind?.toUpperCase() ?? null,
    limit,
    tenants,
  ]);
  return rows;
}

/** The tenant of a stored change: null where it has none; undefined where there is no such change. */
export async function readTenant(client: ClientBase | Pool, change: number): Promise<string | null | undefined> {
  const { rows } = await client.query<{ tenant: string | null }>(
    'select tenant_id::text as tenant from core.tb_entity_change_log where pk_entity_change_log = $1',
    [change],
  );
  return rows[0]?.tenant;
}
