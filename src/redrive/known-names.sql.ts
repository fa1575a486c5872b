import type { ClientBase } from 'pg';

/** Names that a filter may give; null where it gives none. */
export interface NameFilter {
  readonly observer: string | null;
  readonly action: string | null;
  readonly endpoint: string | null;
  readonly entityType: string | null;
}

/** Which of them anything on record has. */
export type OnRecord = Readonly<Record<keyof NameFilter, boolean>>;

/** Changes that are looked through for a type of entity: more would take longer than anybody waits for a mistake. */
const CHANGES = 100_000;

const ON_RECORD = `
  select
    exists (select from observers.dead_letter where observer = $1) or exists (select from observers.pending_delivery where observer = $1)
      or exists (select from observers.paused_observer where observer = $1) as observer,
    exists (select from observers.dead_letter where action = $2) or exists (select from observers.pending_delivery where action = $2) as action,
    exists (select from observers.dead_letter where endpoint = $3) or exists (select from observers.pending_delivery where endpoint = $3)
      or exists (select from observers.gone_endpoint where endpoint = $3) as endpoint,
    exists (select from observers.dead_letter where entity_type = $4) or exists (
      select from (select object_type from core.tb_entity_change_log order by pk_entity_change_log desc limit ${CHANGES}) l
      where object_type = $4) as "entityType"`;

export async function readOnRecord(client: ClientBase, { observer, action, endpoint, entityType }: NameFilter): Promise<OnRecord> {
  const { rows } = await client.query<OnRecord>(ON_RECORD, [observer, action, endpoint, entityType]);
  return rows[0] ?? { observer: false, action: false, endpoint: false, entityType: false };
}
