import type { ClientBase, Pool } from 'pg';
import type { PageLimits } from './change-log.sql';
import { BEYOND, CHECKED, IMAGES, OUTPUT, SIZED, TEXT_ONLY, type ChangeRow } from './change-row.sql';
import { FEW_ROWS, PageSize } from './page-size';

/** Some of the changes that were asked for. */
export interface SomeChanges {
  /** In the order of their numbers; those that are no longer stored are not among them. */
  readonly rows: readonly ChangeRow[];
  /** Numbers for which there was no room. */
  readonly rest: readonly number[];
}

/**
 * Reads changes by their numbers, for retries and redrives: the first of them, as far as their images fit `bytes`, and at least one.
 *
 * @param pageSize of whoever asks again and again: each row that is asked for is measured, with or without room for it
 * @throws what the database failed with; by then fewer rows are asked for the next time
 */
export async function readSomeChanges(
  client: ClientBase | Pool,
  changeNumbers: readonly number[],
  limits: Pick<PageLimits, 'bytes' | 'eventBytes'>,
  pageSize: PageSize,
): Promise<SomeChanges> {
  const sorted = [...changeNumbers].sort((a, b) => a - b);
  const asked = sorted.slice(0, pageSize.rows);
  const found = await pageSize.reading(() => byNumber(client, asked, limits));
  const rows = withRoom(found, pageSize);
  const last = rows.length < found.length ? Number(rows.at(-1)?.[0]) : (asked.at(-1) ?? 0);
  return { rows, rest: sorted.filter((number) => number > last) };
}

/** All of them, of which only so many are in memory at a time as `bytes` allows. */
export async function* readChanges(
  client: ClientBase | Pool,
  changeNumbers: readonly number[],
  limits: Pick<PageLimits, 'bytes' | 'eventBytes'>,
): AsyncGenerator<ChangeRow> {
  const pageSize = new PageSize(FEW_ROWS);
  for (let rest = changeNumbers; rest.length > 0;) {
    const some = await readSomeChanges(client, rest, limits, pageSize);
    yield* some.rows;
    rest = some.rest;
  }
}

async function byNumber(
  client: ClientBase | Pool,
  changeNumbers: readonly number[],
  { bytes, eventBytes }: Pick<PageLimits, 'bytes' | 'eventBytes'>,
): Promise<ChangeRow[]> {
  const { rows } = await client.query<ChangeRow[] & unknown[]>({
    name: 'change-log-by-number',
    text: BY_NUMBER,
    values: [changeNumbers, null, bytes, eventBytes],
    rowMode: 'array',
    types: TEXT_ONLY,
  });
  return rows as unknown as ChangeRow[];
}

const BY_NUMBER = `
  with page as materialized (${IMAGES} where pk_entity_change_log = any ($1::bigint[]) limit $2), sized as (${SIZED('true')})
  select ${OUTPUT} from (${CHECKED}) p order by p.pk_entity_change_log`;

const STORED = `
  with page as materialized (${IMAGES} where pk_entity_change_log > $1 and pk_entity_change_log <= $5 and change_xid is not null
      and created_at >= $6 order by pk_entity_change_log limit $2), sized as (${SIZED('true')})
  select ${OUTPUT} from (${CHECKED}) p order by p.pk_entity_change_log`;

/** Stored changes, in the order of their numbers. Those from before this product watched a table are left out. */
export interface StoredRange {
  /** Change numbers: behind the first, up to the second. */
  readonly behind: number;
  readonly last: number;
  /** Written then or later, RFC 3339. */
  readonly since: string;
}

/** The next page of a range, at most so many rows as `pageSize` says; empty behind its end. */
export async function readStored(
  client: ClientBase,
  { behind, last, since }: StoredRange,
  limits: Pick<PageLimits, 'bytes' | 'eventBytes'>,
  pageSize: PageSize,
): Promise<ChangeRow[]> {
  const { rows } = await client.query<ChangeRow[] & unknown[]>({
    name: 'change-log-stored',
    text: STORED,
    values: [behind, pageSize.rows, limits.bytes, limits.eventBytes, last, since],
    rowMode: 'array',
    types: TEXT_ONLY,
  });
  return withRoom(rows as unknown as ChangeRow[], pageSize);
}

/** Those before the first for which there was no room. */
function withRoom(rows: ChangeRow[], pageSize: PageSize): ChangeRow[] {
  const beyond = rows.findIndex((row) => row[BEYOND] !== null);
  const kept = beyond === -1 ? rows : rows.slice(0, beyond);
  pageSize.came(kept.length, beyond !== -1);
  return kept;
}

const RANGE = `
  select count(*)::float8 as count, coalesce(min(number) - 1, 0)::float8 as behind, coalesce(max(number), 0)::float8 as last
  from (select pk_entity_change_log as number from core.tb_entity_change_log
        where change_xid is not null and created_at >= $1 order by pk_entity_change_log desc limit $2) q`;

/** Where the changes begin and end that were written since then, or the newest so many of them. */
export async function findStored(
  client: ClientBase,
  since: string,
  limit: number | null,
): Promise<Omit<StoredRange, 'since'> & { readonly count: number }> {
  const { rows } = await client.query<Omit<StoredRange, 'since'> & { readonly count: number }>(RANGE, [since, limit]);
  return rows[0] ?? { behind: 0, last: 0, count: 0 };
}
