import { rolledBack, SNAPSHOT } from '../database/transaction';
import type { ClientBase, Pool } from 'pg';
import { filterValues, ITEM_COLUMNS, MATCHING_ITEMS, type DeadLetterFilter, type DeadLetterItem } from './dead-letters.sql';

/** A place in the order in which sets are worked off: changes in their order, so that those of one entity keep it. */
export interface SetPlace {
  readonly changeNumber: string;
  readonly id: string;
}

/**
 * Items as one moment saw them: those that match the filter and have not been changed since. What died, or died again, after the moment
 * is not visible in the snapshot; what was delivered or discarded is changed too. So a set only ever shrinks.
 */
export interface DeadLetterSet {
  readonly filter: DeadLetterFilter;
  readonly snapshot: string;
  /** Behind this place, and up to that one; null: from the first, to the last. Both are of the moment, for --offset and --limit. */
  readonly from: SetPlace | null;
  readonly to: SetPlace | null;
  /** How many there were at that moment. */
  readonly count: number;
}

export interface SetPreview {
  readonly set: DeadLetterSet;
  /** The first of them. */
  readonly sample: readonly DeadLetterItem[];
}

/** Items that carry no transaction are older than the column: nothing has changed them since. */
export const UNCHANGED = (snapshot: string): string => `coalesce(pg_visible_in_snapshot(changed_xid, ${snapshot}::pg_snapshot), true)`;

const SET = `
  select * from (${MATCHING_ITEMS}) m
  where ${UNCHANGED('$9')} and ($10::bigint is null or (change_number, id) > ($10::bigint, $11::uuid))
    and ($12::bigint is null or (change_number, id) <= ($12::bigint, $13::uuid))`;

const COUNT = `select count(*)::int as count from (${SET}) s`;
const PLACE = `select change_number::text as "changeNumber", id::text from (${SET}) s order by change_number, id limit 1 offset $14`;
const SAMPLE = `select ${ITEM_COLUMNS} from (${SET}) s order by change_number, id limit $14`;
const PAGE = `select id::text, kind, change_number::text as "changeNumber", observer, action, endpoint from (${SET}) s order by s.change_number, s.id limit $14`;

function values({ filter, snapshot, from, to }: DeadLetterSet): unknown[] {
  return [...filterValues(filter), snapshot, from?.changeNumber ?? null, from?.id ?? null, to?.changeNumber ?? null, to?.id ?? null];
}

/**
 * Looks at a set, in a transaction that PostgreSQL itself keeps from writing anything.
 *
 * @param range the oldest `limit` (null: all) after `offset` of them
 */
export async function previewSet(
  client: ClientBase,
  filter: DeadLetterFilter,
  range: { readonly limit: number | null; readonly offset: number },
  sampleSize: number,
): Promise<SetPreview> {
  return rolledBack(client, SNAPSHOT, async () => {
    const { rows } = await client.query<{ snapshot: string }>('select pg_current_snapshot()::text as snapshot');
    const whole: DeadLetterSet = { filter, snapshot: rows[0]?.snapshot ?? '', from: null, to: null, count: 0 };
    const cut = await cutOut(client, whole, range);
    if (cut === null) return { set: whole, sample: [] };
    const { rows: counted } = await client.query<{ count: number }>(COUNT, values(cut));
    const { rows: sample } = await client.query<DeadLetterItem>(SAMPLE, [...values(cut), sampleSize]);
    return { set: { ...cut, count: counted[0]?.count ?? 0 }, sample };
  });
}

/** @returns null when nothing is left */
async function cutOut(
  client: ClientBase,
  whole: DeadLetterSet,
  { limit, offset }: { readonly limit: number | null; readonly offset: number },
): Promise<DeadLetterSet | null> {
  const placeAt = async (set: DeadLetterSet, index: number): Promise<SetPlace | null> => {
    const { rows } = await client.query<SetPlace>(PLACE, [...values(set), index]);
    return rows[0] ?? null;
  };
  const from = offset === 0 ? null : await placeAt(whole, offset - 1);
  if (limit === 0 || (offset > 0 && from === null)) return null;
  const rest = { ...whole, from };
  // When there are fewer than the limit, all of them are meant; those of later are not in the snapshot.
  return { ...rest, to: limit === null ? null : await placeAt(rest, limit - 1) };
}

export interface SetItem extends SetPlace {
  readonly kind: 'delivery' | 'quarantine';
  readonly observer: string | null;
  readonly action: string | null;
  readonly endpoint: string | null;
}

/** How many are still as they were. */
export async function countSet(client: ClientBase | Pool, set: DeadLetterSet): Promise<number> {
  const { rows } = await client.query<{ count: number }>(COUNT, values(set));
  return rows[0]?.count ?? 0;
}

const ENDPOINTS = `select endpoint, count(*)::int as count from (${SET}) s where endpoint is not null group by endpoint order by 2 desc, 1`;

/** For which endpoints they are meant. */
export async function endpointsOf(client: ClientBase | Pool, set: DeadLetterSet): Promise<{ endpoint: string; count: number }[]> {
  const { rows } = await client.query<{ endpoint: string; count: number }>(ENDPOINTS, values(set));
  return rows;
}

/** The next ones behind a place, in the order of their changes. */
export async function readSet(client: ClientBase | Pool, set: DeadLetterSet, behind: SetPlace | null, limit: number): Promise<SetItem[]> {
  const { rows } = await client.query<SetItem>(PAGE, [...values({ ...set, from: behind ?? set.from }), limit]);
  return rows;
}

// Far in the future: an item that somebody changes at this very moment is a few transactions ahead of this statement, and is none of these.
const FOREIGN = 'changed_xid::text::numeric > pg_snapshot_xmax(pg_current_snapshot())::text::numeric + 1000000';

/**
 * After a restore into another cluster items carry transactions of the old one, which lie in the future of this: no snapshot would see
 * them, and no set hold them. They are items of before, as those without a transaction. @returns how many
 */
export async function forgetForeignTransactions(client: ClientBase | Pool): Promise<number> {
  const { rowCount: letters } = await client.query(`update observers.dead_letter set changed_xid = null where ${FOREIGN}`);
  const { rowCount: changes } = await client.query(`update observers.quarantine set changed_xid = null where ${FOREIGN}`);
  return (letters ?? 0) + (changes ?? 0);
}
