import { transaction } from '../database/transaction';
import type { ClientBase } from 'pg';
import { findQuarantined } from '../delivery/quarantine.sql';
import type { DeadLetterRecord } from '../delivery/records';
import { laneOf } from '../event/delivery';
import { UNCHANGED } from './dead-letter-sets.sql';
import { requireWanted } from './set-token';

/** The configuration that a redrive uses: the one that runs, or the one with which the item died. */
export type ConfigChoice = 'current' | 'original';

export interface RedriveRequest {
  /** Ids of items: delivery ids, and event ids of quarantined changes. */
  readonly ids: readonly string[];
  readonly who: string;
  /** For the item's history. */
  readonly detail: string | null;
  readonly config: ConfigChoice;
  /** Only items that have not been changed since; null: whatever they are now. */
  readonly snapshot: string | null;
  /** The token of the set that they are of; without: they were named one by one. */
  readonly set?: string;
}

/** What becomes of the items of one request; the five add up. */
export interface RedriveAnswer {
  readonly queued: readonly string[];
  /** A retry was asked for, and nobody has tried it yet. */
  readonly waiting: readonly string[];
  /** It is being tried at the moment. */
  readonly running: readonly string[];
  /** Delivered or discarded before; or changed since the snapshot. */
  readonly left: readonly string[];
  readonly unknown: readonly string[];
}

// How a lane is named is decided in one place, which is not SQL: see laneOf.
const OPEN = `
  select id::text, entity_type as "entityType", entity_key as "entityKey", observer, action
  from observers.dead_letter where id = any ($1::uuid[]) and resolved_at is null`;

type OpenLetter = Pick<DeadLetterRecord, 'id' | 'entityType' | 'entityKey' | 'observer' | 'action'>;

// The primary key is the atomic claim: of several people who retry one item at once, one inserts the row and the others find it there.
// Who waits here for a row that a leader is just deleting, because the retry of somebody else has ended, gets in afterwards: so the
// items are looked at again behind the claim, by a statement that sees that end. In the order of the key, or two would deadlock.
const CLAIM = `
  with item as (
    select d.*, l.lane from unnest($1::uuid[], $4::text[]) as l(id, lane) join observers.dead_letter d using (id) where d.resolved_at is null
  ), queued as (
    insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, redrive, config_version, item_set, collapsed)
    select change_number, observer, action, stream, endpoint, lane, 'retrying', attempts + 1, clock_timestamp(), true,
           case when $2 then config_version end, $3, collapsed
    from item order by change_number, observer, action
    on conflict (change_number, observer, action) do nothing returning change_number, observer, action
  )
  select id::text from item join queued using (change_number, observer, action)`;

const CONFIRM = `
  with item as materialized (
    select id, config_version from observers.dead_letter
    where id = any ($1::uuid[]) and resolved_at is null and ($2::text is null or ${UNCHANGED('$2')}) order by id for update
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail, item_set, config_version)
    select id, 'retry asked for', $3, $4, $5, case when $6 then config_version end from item
  ), withdrawn as (
    delete from observers.pending_delivery p using observers.dead_letter d
    where d.id = any ($1::uuid[]) and d.id not in (select id from item)
      and p.change_number = d.change_number and p.observer = d.observer and p.action = d.action
  )
  select id::text from item`;

// A quarantined change is looked at again as a whole: it may be readable now.
const LOOK_AGAIN = `
  with item as (
    update observers.quarantine q set retry_at = clock_timestamp(), item_set = $5 from core.tb_entity_change_log l
    where q.change_number = any ($1::bigint[]) and l.pk_entity_change_log = q.change_number and q.retry_at is null and q.resolved_at is null
      and ($2::text is null or ${UNCHANGED('$2')}) returning l.id
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail, item_set) select id, 'retry asked for', $3, $4, $5 from item
  )
  select id::text from item`;

// What was not queued: open and asked for by somebody, or no longer what was meant. A quarantined change is looked at in a moment.
const REST = `
  select d.id::text, case when d.resolved_at is not null or not ($2::text is null or ${UNCHANGED('$2')}) then 'left'
                          when p.state = 'running' then 'running' else 'waiting' end as is
  from observers.dead_letter d
  left join observers.pending_delivery p on p.change_number = d.change_number and p.observer = d.observer and p.action = d.action
  where d.id = any ($1::uuid[])
  union all
  select l.id::text, case when q.resolved_at is null and ($2::text is null or ${UNCHANGED('$2')}) then 'waiting' else 'left' end
  from observers.quarantine q
  join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number where q.change_number = any ($3::bigint[])`;

/** Asks for one more try of each item; the service makes them. All of a request is asked for, or nothing. */
export async function requestRetries(client: ClientBase, request: RedriveRequest): Promise<RedriveAnswer> {
  const { ids, who, detail, config, snapshot, set = null } = request;
  const original = config === 'original';
  return transaction(client, 'begin', async () => {
    if (set !== null) await requireWanted(client, set);
    const changes = await findQuarantined(client, ids);
    const { rows: open } = await client.query<OpenLetter>(OPEN, [ids]);
    const lanes = open.map((letter) => laneOf({ event: letter, observer: { name: letter.observer }, action: { name: letter.action } }));
    const { rows: claimed } = await client.query<{ id: string }>(CLAIM, [open.map(({ id }) => id), original, set, lanes]);
    const confirm = [claimed.map(({ id }) => id), snapshot, who, detail, set, original];
    const { rows: confirmed } = await client.query<{ id: string }>(CONFIRM, confirm);
    const { rows: looked } = await client.query<{ id: string }>(LOOK_AGAIN, [changes, snapshot, who, detail, set]);
    return answer(client, { ids, changes }, [...confirmed, ...looked].map(({ id }) => id), snapshot); // prettier-ignore
  });
}

// Locked first, then looked at by a statement of its own: a retry that was claimed meanwhile is seen.
const LOCK = 'select from observers.dead_letter where id = any ($1::uuid[]) order by id for update';
const DISCARD = `
  with item as (
    update observers.dead_letter d set resolved_at = clock_timestamp(), resolution = 'discarded'
    where id = any ($1::uuid[]) and resolved_at is null and ($2::text is null or ${UNCHANGED('$2')}) and not exists (
      select from observers.pending_delivery p where p.change_number = d.change_number and p.observer = d.observer and p.action = d.action)
    returning id
  ), change as (
    update observers.quarantine q set resolved_at = clock_timestamp(), resolution = 'discarded' from core.tb_entity_change_log l
    where q.change_number = any ($5::bigint[]) and l.pk_entity_change_log = q.change_number and q.retry_at is null and q.resolved_at is null
      and ($2::text is null or ${UNCHANGED('$2')}) returning l.id
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail, item_set)
    select id, 'discarded', $3, $4, $6 from (select id from item union all select id from change) discarded
  )
  select id::text from item union all select id::text from change`;

/** Takes items out of the queue for good: they stay on record, with who did it and why. `queued` are the discarded ones. */
export async function discardItems(client: ClientBase, request: Omit<RedriveRequest, 'config'>): Promise<RedriveAnswer> {
  const { ids, who, detail, snapshot, set = null } = request;
  return transaction(client, 'begin', async () => {
    if (set !== null) await requireWanted(client, set);
    const changes = await findQuarantined(client, ids);
    await client.query(LOCK, [ids]);
    const { rows } = await client.query<{ id: string }>(DISCARD, [ids, snapshot, who, detail, changes, set]);
    return answer(client, { ids, changes }, rows.map(({ id }) => id), snapshot); // prettier-ignore
  });
}

async function answer(
  client: ClientBase,
  { ids, changes }: { readonly ids: readonly string[]; readonly changes: readonly number[] },
  queued: readonly string[],
  snapshot: string | null,
): Promise<RedriveAnswer> {
  const done = new Set(queued);
  const others = ids.filter((id) => !done.has(id));
  if (others.length === 0) return { queued, waiting: [], running: [], left: [], unknown: [] };
  const { rows } = await client.query<{ id: string; is: 'waiting' | 'running' | 'left' }>(REST, [others, snapshot, changes]);
  const found = new Map(rows.map(({ id, is }) => [id, is]));
  const those = (is: 'waiting' | 'running' | 'left' | undefined): string[] => others.filter((id) => found.get(id) === is);
  return { queued, waiting: those('waiting'), running: those('running'), left: those('left'), unknown: those(undefined) };
}
