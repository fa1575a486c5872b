import { transaction } from '../database/transaction';
import type { ClientBase } from 'pg';
import type { Snapshot } from '../checkpoint/cursor';
import type { Bounds } from '../event/bounds';
import { ENTRY_COLUMNS, HIDDEN_COLUMNS, TAIL_SOURCES, type TailSource } from './tail-sources';

/** What happened: an event was written, a delivery was tried, one died or was given up, a change went into quarantine. Never a payload. */
export interface TailEntry {
  readonly kind: 'event' | 'attempt' | 'dead letter' | 'quarantine';
  /** RFC 3339. */
  readonly at: string;
  readonly change: number;
  /** Null when the change is no longer stored, as the next three. */
  readonly event: string | null;
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly operation: string | null;
  readonly observer: string | null;
  readonly action: string | null;
  readonly attempt: number | null;
  /** Null for an event: what comes of it follows. */
  readonly outcome: TailOutcome | null;
  readonly error: string | null;
  readonly message: string | null;
  readonly status: number | null;
  readonly durationMs: number | null;
  readonly configVersion: number | null;
}

export const TAIL_OUTCOMES = ['succeeded', 'retry', 'dead', 'skipped', 'quarantined', 'discarded'] as const;
export type TailOutcome = (typeof TAIL_OUTCOMES)[number];

/** What to show; null does not narrow it down. */
export interface TailFilter {
  readonly observer: string | null;
  readonly action: string | null;
  readonly entityType: string | null;
  readonly outcome: TailOutcome | null;
  /** Who asks is bound to: of observers only what came of events, for an event is nobody's. */
  readonly bounds: Bounds;
}

/** The last row of a page: its transaction, its table, and its place there. */
export interface TailKey {
  readonly xid: string;
  readonly source: number;
  readonly place: string;
}

/**
 * How far it has been followed: the idea of the stream's cursor. What is visible in `target` and was not in `previous` is new; of that,
 * everything up to `after` has been shown. Between two windows both are null.
 */
export interface TailCursor {
  readonly previous: Snapshot;
  readonly target: Snapshot | null;
  readonly after: TailKey | null;
}

const NAMES = Object.keys(ENTRY_COLUMNS).map((name) => `"${name}"`);

const rowOf = ({ columns }: TailSource): string =>
  Object.entries({ ...ENTRY_COLUMNS, ...HIDDEN_COLUMNS })
    .map(([name, type]) => `(${columns[name] ?? 'null'})::${type} as "${name}"`)
    .join(', ');

const OUTPUT = NAMES.map((name) =>
  name === '"at"' ? `to_json(e.at) #>> '{}' as at` : name === '"change"' ? 'e.change::float8 as change' : `e.${name}`,
).join(', ');

/** SQL: the filter, whose values are the parameters from $first on. */
const matches = (first: number): string => `
  ($${first}::text is null or e.observer = $${first}) and ($${first + 1}::text is null or e.action = $${first + 1})
  and ($${first + 2}::text is null or e."entityType" = $${first + 2}) and ($${first + 3}::text is null or e.outcome = $${first + 3})
  and ($${first + 4}::text[] is null or e.tenant = any ($${first + 4})) and ($${first + 5}::text[] is null or e.observer = any ($${first + 5}))`;

const valuesOf = ({ observer, action, entityType, outcome, bounds }: TailFilter): unknown[] => [
  observer,
  action,
  entityType,
  outcome,
  bounds.tenants,
  bounds.observers,
];

const TARGET = 'coalesce($2::pg_snapshot, pg_current_snapshot())';
const LEAST = 'greatest((pg_snapshot_xmax($1::pg_snapshot)::text)::bigint, $3::bigint)';
const numberOf = (xid: string): string => `(${xid}::text)::bigint`;

// Each source twice: what is at or above xmax(previous), a range of its index, and what was under way then, transaction by transaction.
// What is visible in the target is also below its xmax: rows with transactions of another cluster (a restore) are not new for ever.
const newOf = (source: TailSource, number: number): string => {
  const { from, xid, indexed, place, where } = source;
  const select = (condition: string): string => `
    select ${rowOf(source)}, ${numberOf(xid)} as xnum, ${number} as source, (${place}) collate "C" as place
    from ${from} where ${condition} and pg_visible_in_snapshot(${xid}, ${TARGET}) and ${where}`;
  const [since, of] =
    indexed === 'number'
      ? [`${numberOf(xid)} >= ${LEAST}`, `${numberOf(xid)} = ${numberOf('x.xid')}`]
      : [`${xid} >= ((${LEAST})::text)::xid8`, `${xid} = x.xid`];
  return `
    (${select(since)})
    union all
    (select s.* from pg_snapshot_xip($1::pg_snapshot) as x(xid) cross join lateral (${select(of)} offset 0) s)`;
};

const NEW = `
  with page as (
    select * from (${TAIL_SOURCES.map(newOf).join(' union all ')}) e
    where ($3::bigint is null or (e.xnum, e.source, e.place) > ($3::bigint, $4::int, $5::text)) and ${matches(7)}
    order by e.xnum, e.source, e.place limit $6
  )
  select w.target, e.xnum::text as xid, e.source, e.place, ${OUTPUT}
  from (select (${TARGET})::text as target) w left join page e on true order by e.xnum, e.source, e.place`;

type NewRow = TailEntry & TailKey & { readonly target: Snapshot };

export interface TailPage {
  readonly entries: readonly TailEntry[];
  /** Where each of them stands; empty of the last ones so far, which stand before the cursor. */
  readonly keys: readonly TailKey[];
  /** What is visible to it. */
  readonly window: Snapshot;
  readonly cursor: TailCursor;
  /** The greatest transaction among the entries. */
  readonly xid: string | null;
}

// At READ COMMITTED, where each statement has a snapshot of its own. Every source has its index; a planner that knows little of the
// tables would rather read them whole.
const BY_INDEX = 'begin transaction isolation level read committed read only; set local enable_seqscan = off';

/** What is new, in the order of transactions. */
export async function readNew(client: ClientBase, cursor: TailCursor, filter: TailFilter, limit: number): Promise<TailPage> {
  const { previous, target, after } = cursor;
  const values = [previous, target, after?.xid ?? null, after?.source ?? null, after?.place ?? null, limit, ...valuesOf(filter)];
  const { rows } = await transaction(client, BY_INDEX, () => client.query<NewRow>(NEW, values));
  const window = rows[0]?.target ?? '';
  const found = rows.filter(({ xid }) => (xid as string | null) !== null);
  const last = found.at(-1);
  const entries = found.map(entryOf);
  const keys = found.map(({ xid, source, place }): TailKey => ({ xid, source, place }));
  const page = { entries, keys, window, xid: last?.xid ?? null };
  if (found.length < limit || last === undefined) return { ...page, cursor: { previous: window, target: null, after: null } };
  return { ...page, cursor: { previous, target: window, after: keys.at(-1) ?? null } };
}

// Each source's newest by its index, so that the last few cost a few rows, whatever the tables hold.
const recentOf = (source: TailSource): string => `
  (select ${NAMES.map((name) => `e.${name}`).join(', ')} from (
     select ${rowOf(source)}, ${source.newest} as newest from ${source.from} where ${source.where}) e
   where ($1::timestamptz is null or e.at >= $1) and ($2::bigint is null or e.change >= $2) and ${matches(4)} order by e.newest desc limit $3)`;

const RECENT = `
  with last as (select * from (${TAIL_SOURCES.map(recentOf).join(' union all ')}) e order by e.at desc, e.change desc limit $3)
  select w.target, ${OUTPUT} from (select pg_current_snapshot()::text as target) w left join last e on true
  order by e.at, e.change, e.kind desc`;

/** Where to begin; null does not narrow it down. */
export interface TailBeginning {
  /** RFC 3339. */
  readonly since: string | null;
  readonly change: number | null;
  readonly count: number;
}

/** The last entries so far, oldest first, and the place behind them. */
export async function readRecent(client: ClientBase, { since, change, count }: TailBeginning, filter: TailFilter): Promise<TailPage> {
  const { rows } = await client.query<NewRow>(RECENT, [since, change, count, ...valuesOf(filter)]);
  const found = rows.filter(({ kind }) => (kind as string | null) !== null);
  const window = rows[0]?.target ?? '';
  return { entries: found.map(entryOf), keys: [], window, xid: null, cursor: { previous: window, target: null, after: null } };
}

function entryOf(row: NewRow): TailEntry {
  return Object.fromEntries(Object.keys(ENTRY_COLUMNS).map((name) => [name, row[name as keyof TailEntry]])) as unknown as TailEntry;
}

export async function readServerStarted(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ started: string }>('select pg_postmaster_start_time()::text as started');
  return rows[0]?.started ?? '';
}
