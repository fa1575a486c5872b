import type { ClientBase } from 'pg';
import { transaction } from '../database/transaction';
import { readPausedNames } from '../delivery/pauses.sql';
import { findQuarantined } from '../delivery/quarantine.sql';
import { promoteHeads } from '../delivery/strict-lanes.sql';
import { OperatorError } from '../event/errors';
import { InvalidToken, type NamedItems, type TokenUse } from './set-token';

export interface TakenBack {
  /** They were asked for and nobody had tried them: each is what it was before. */
  readonly takenBack: number;
  /** Being tried at this moment: they end, whatever comes of it. */
  readonly running: number;
  /** Of a replay: tried before, and tried again by their observer's policy. */
  readonly tried: number;
  /** Of ids: nothing was asked for, or it has ended. */
  readonly left: readonly string[];
  readonly unknown: readonly string[];
}

// Nobody asks for more of it from here on. Who is just asking is waited for, and what he has asked for is seen by what follows.
const CLOSE_SET = `
  update observers.item_set set cancelled_at = coalesce(cancelled_at, clock_timestamp()), cancelled_by = coalesce(cancelled_by, $2)
  where token = $1 returning use`;

const OF_SET = 'from observers.pending_delivery p where p.item_set = $1::text';
const OF_IDS = `
  from observers.dead_letter d
  join observers.pending_delivery p on p.change_number = d.change_number and p.observer = d.observer and p.action = d.action
  where d.id = any ($1::uuid[]) and d.resolved_at is null and p.redrive`;

// Tried: since it was asked for. A leader may claim the same rows at this moment: it passes over those that are locked here, and those that it has
// locked are looked at again when it has claimed them. In the order of the key, or two people would deadlock.
const TAKE = (asked: string): string => `
  with taken as materialized (
    select p.change_number, p.observer, p.action ${asked} and p.state in ('queued', 'retrying', 'waiting', 'paused') and not exists (
      select from observers.attempt a
      where a.change_number = p.change_number and a.observer = p.observer and a.action = p.action and a.finished_at >= p.created_at)
    order by p.change_number, p.observer, p.action for update of p
  ), gone as (
    delete from observers.pending_delivery p using taken t
    where p.change_number = t.change_number and p.observer = t.observer and p.action = t.action returning p.*
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail, item_set)
    select d.id, 'retry taken back', $2, $3, gone.item_set from gone join observers.dead_letter d using (change_number, observer, action) where gone.redrive
  )
  select stream, lane, strict from gone`;

const TAKE_CHANGES = (asked: string): string => `
  with taken as (
    update observers.quarantine q set retry_at = null from core.tb_entity_change_log l
    where ${asked} and l.pk_entity_change_log = q.change_number and q.retry_at is not null and q.resolved_at is null returning l.id, q.item_set
  ), noted as (
    insert into observers.dead_letter_event (dead_letter_id, what, who, detail, item_set) select id, 'retry taken back', $2, $3, item_set from taken
  )
  select id::text from taken`;

const REST = (asked: string): string => `
  select count(*) filter (where p.state = 'running')::int as running, count(*) filter (where p.state <> 'running')::int as tried ${asked}`;

/** Ids of which something waits or is under way. */
const ASKED_IDS = `
  select d.id::text ${OF_IDS}
  union all
  select l.id::text from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number
  where q.change_number = any ($2::bigint[]) and q.retry_at is not null and q.resolved_at is null`;
const KNOWN_IDS = `
  select id::text from observers.dead_letter where id = any ($1::uuid[])
  union all
  select l.id::text from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number
  where q.change_number = any ($2::bigint[])`;

interface Gone {
  readonly stream: string;
  readonly lane: string;
  readonly strict: boolean;
}

/**
 * Takes back what was asked for and not tried yet, all of it or nothing. Of a set nothing more is asked for afterwards.
 *
 * @throws InvalidToken when there is no such set
 * @throws OperatorError when the set was one of items to be discarded
 */
export async function takeBack(client: ClientBase, asked: NamedItems, who: string, reason: string | null): Promise<TakenBack> {
  return transaction(client, 'begin', async () => {
    if ('token' in asked) {
      await closeSet(client, asked.token, who);
      const taken = await take(client, { of: OF_SET, changes: 'q.item_set = $1::text' }, [asked.token, who, reason], asked.token);
      return { ...taken, left: [], unknown: [] };
    }
    const ids = asked.ids.map((id) => id.toLowerCase());
    const numbers = await findQuarantined(client, ids);
    const known = await idsIn(client, KNOWN_IDS, ids, numbers);
    const open = await idsIn(client, ASKED_IDS, ids, numbers);
    const taken = await take(client, { of: OF_IDS, changes: 'q.change_number = any ($1::bigint[])' }, [ids, who, reason], ids, numbers);
    const left = ids.filter((id) => known.has(id) && !open.has(id));
    return { ...taken, left, unknown: ids.filter((id) => !known.has(id)) };
  });
}

async function closeSet(client: ClientBase, token: string, who: string): Promise<void> {
  const { rows } = await client.query<{ use: TokenUse }>(CLOSE_SET, [token, who]);
  if (rows[0] === undefined)
    throw new InvalidToken('this token is not one that a dry run on this database gave', 'Copy it whole, or name the items by their ids.');
  if (rows[0].use === 'remove')
    throw new OperatorError('this set was one of items to be discarded, and nobody tries them', `To have them back: fraiseql-observers dlq restore --set ${token}`); // prettier-ignore
}

async function take(
  client: ClientBase,
  { of, changes }: { readonly of: string; readonly changes: string },
  values: readonly unknown[],
  asked: unknown,
  numbers: unknown = asked,
): Promise<Pick<TakenBack, 'takenBack' | 'running' | 'tried'>> {
  const { rows: gone } = await client.query<Gone>(TAKE(of), [...values]);
  const { rows: looked } = await client.query(TAKE_CHANGES(changes), [numbers, ...values.slice(1)]);
  await openLanes(client, gone);
  const { rows } = await client.query<{ running: number; tried: number }>(REST(of), [asked]);
  return { takenBack: gone.length + looked.length, running: rows[0]?.running ?? 0, tried: rows[0]?.tried ?? 0 };
}

/** Whoever stood behind one of them in a strict lane goes on. */
async function openLanes(client: ClientBase, gone: readonly Gone[]): Promise<void> {
  const strict = gone.filter((one) => one.strict);
  for (const stream of new Set(strict.map((one) => one.stream))) {
    const lanes = new Set(strict.filter((one) => one.stream === stream).map(({ lane }) => lane));
    await promoteHeads(client, stream, [...lanes], await readPausedNames(client, stream));
  }
}

async function idsIn(client: ClientBase, statement: string, ids: readonly string[], numbers: readonly number[]): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>(statement, [ids, numbers]);
  return new Set(rows.map(({ id }) => id));
}
