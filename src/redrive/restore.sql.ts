import type { ClientBase } from 'pg';
import { transaction } from '../database/transaction';
import { findQuarantined } from '../delivery/quarantine.sql';
import { KEEPING } from '../delivery/retention.sql';
import type { NamedItems } from './set-token';

export interface Restored {
  /** In the queue again, as they were. */
  readonly restored: number;
  /** Their changes are no longer in the change log, so that there is nothing to send. */
  readonly gone: number;
  /** Neither discarded nor skipped: in the queue, delivered, or unknown. */
  readonly left: readonly string[];
}

// Newest first, as they are listed.
const OF_SET = `
  select i.id::text as id from (
    select distinct dead_letter_id as id from observers.dead_letter_event where item_set = $1 and what = 'discarded') i
  left join observers.dead_letter d on d.id = i.id order by d.died_at desc, i.id`;

// Discarded by a person, or given up with `lanes skip`; what was delivered stays delivered.
const SETTLED = "resolution in ('discarded', 'skipped')";
const IN_LOG = 'exists (select from core.tb_entity_change_log l where l.pk_entity_change_log = d.change_number)';

const GONE = `select id::text from observers.dead_letter d where id = any ($1::uuid[]) and ${SETTLED} and not ${IN_LOG}`;

const RESTORE = `
  with item as (
    update observers.dead_letter d set resolved_at = null, resolution = null where id = any ($1::uuid[]) and ${SETTLED} and ${IN_LOG} returning id
  ), change as (
    update observers.quarantine q set resolved_at = null, resolution = null from core.tb_entity_change_log l
    where q.change_number = any ($4::bigint[]) and l.pk_entity_change_log = q.change_number and ${SETTLED} returning l.id
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail)
    select id, 'restored', $2, $3 from (select id from item union all select id from change) restored
  )
  select id::text from item union all select id::text from change`;

/** Puts discarded items back into the queue, as they were; all of a request, or nothing. */
export async function restoreItems(client: ClientBase, discarded: NamedItems, who: string, reason: string | null): Promise<Restored> {
  return transaction(client, 'begin', async () => {
    await client.query(KEEPING);
    const ids = 'token' in discarded ? await discardedBy(client, discarded.token) : discarded.ids.map((id) => id.toLowerCase());
    const changes = await findQuarantined(client, ids);
    const { rows: restored } = await client.query<{ id: string }>(RESTORE, [ids, who, reason, changes]);
    const { rows: gone } = await client.query<{ id: string }>(GONE, [ids]);
    const done = new Set([...restored, ...gone].map(({ id }) => id));
    return { restored: restored.length, gone: gone.length, left: ids.filter((id) => !done.has(id)) };
  });
}

async function discardedBy(client: ClientBase, token: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(OF_SET, [token]);
  return rows.map(({ id }) => id);
}
