import type { ClientBase } from 'pg';
import { currentVersionOf } from '../checkpoint/config-period.sql';

/** A backfill that is on record. Times are RFC 3339. */
export interface BackfillRecord {
  readonly id: string;
  /** Quoted and schema-qualified, as the table was called when it began. */
  readonly table: string;
  readonly entity: string;
  readonly observers: readonly string[];
  readonly where: string | null;
  /** `running`: a process works on it. `stopped`: the same command goes on with it. */
  readonly state: 'running' | 'stopped' | 'finished' | 'cancelled';
  /** Rows that are in the change log. */
  readonly done: number;
  /** Those of these rows that could not be recorded whole. */
  readonly failed: number;
  /** Rows that there were when it began. */
  readonly expected: number | null;
  readonly startedAt: string;
  readonly startedBy: string;
  readonly endedAt: string | null;
  readonly endedBy: string | null;
}

/** A process that works on a backfill gives a sign of life at least so often (s). */
export const SIGN_OF_LIFE = 1;
/** One that has given none for so long (s) has died. */
export const DEAD_AFTER = 5;

const time = (column: string): string => `to_json(${column}) #>> '{}'`;

const RECORD = `
  b.id::text, b.relation as table, b.entity, b.observers, observers.shown(b.condition) as where, b.done::float8 as done, b.failed::float8 as failed,
  b.expected::float8 as expected, ${time('b.started_at')} as "startedAt", b.started_by as "startedBy", ${time('b.ended_at')} as "endedAt", b.ended_by as "endedBy",
  case when b.state <> 'unfinished' then b.state when b.run is not null and b.seen_at > clock_timestamp() - interval '${DEAD_AFTER} s' then 'running' else 'stopped' end as state`;

/** Unfinished ones first, then the newest. */
export async function listBackfills(client: ClientBase, limit: number): Promise<BackfillRecord[]> {
  const { rows } = await client.query<BackfillRecord>(
    `select ${RECORD} from observers.backfill b order by b.state = 'unfinished' desc, b.started_at desc limit $1`,
    [limit],
  );
  return rows;
}

export async function readBackfill(client: ClientBase, id: string): Promise<BackfillRecord | null> {
  const { rows } = await client.query<BackfillRecord>(`select ${RECORD} from observers.backfill b where b.id = $1`, [id]);
  return rows[0] ?? null;
}

/** What a backfill is about: the same again is the same backfill. */
export interface BackfillSubject {
  readonly relid: number;
  readonly table: string;
  readonly entity: string;
  /** Sorted. */
  readonly observers: readonly string[];
  readonly where: string | null;
  readonly keys: readonly string[];
}

/** Where one stands. */
export interface BackfillState {
  readonly id: string;
  readonly state: 'unfinished' | 'finished' | 'cancelled';
  readonly keys: readonly string[];
  readonly passed: readonly string[] | null;
  readonly done: number;
  readonly expected: number | null;
  readonly run: string | null;
  readonly seenAt: string | null;
  /** Seconds since the last sign of life of whoever works on it. */
  readonly silentFor: number | null;
  readonly startedAt: string;
}

const STATE = `
  id::text, state, keys, passed, done::float8 as done, expected::float8 as expected, run::text, ${time('seen_at')} as "seenAt",
  extract(epoch from clock_timestamp() - seen_at)::float8 as "silentFor", ${time('started_at')} as "startedAt"`;

const LATEST = `
  select ${STATE} from observers.backfill where relid = $1 and observers = $2 and condition is not distinct from $3
  order by state = 'unfinished' desc, started_at desc limit 1`;

/** The last one about the same; an unfinished one where there is one. */
export async function latestBackfill(client: ClientBase, { relid, observers, where }: BackfillSubject): Promise<BackfillState | null> {
  const { rows } = await client.query<BackfillState>(LATEST, [relid, observers, where]);
  return rows[0] ?? null;
}

const BEGIN = `
  insert into observers.backfill (id, relation, relid, entity, observers, condition, keys, expected, started_by, run, seen_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp())
  on conflict (relid, observers, md5(coalesce(condition, ''))) where state = 'unfinished' do nothing returning ${STATE}`;

/** @returns null when somebody else has begun it meanwhile */
export async function beginBackfill(
  client: ClientBase,
  { relid, table, entity, observers, where, keys }: BackfillSubject,
  { id, run, who, expected }: { readonly id: string; readonly run: string; readonly who: string; readonly expected: number },
): Promise<BackfillState | null> {
  const { rows } = await client.query<BackfillState>(BEGIN, [id, table, relid, entity, observers, where, keys, expected, who, run]);
  return rows[0] ?? null;
}

const TAKE = `
  update observers.backfill set run = $2, seen_at = clock_timestamp()
  where id = $1 and state = 'unfinished' and run is not distinct from $3 and seen_at is not distinct from $4::timestamptz returning ${STATE}`;

/** Goes on with one that nobody works on any more. @returns null when somebody else was faster, or it lives after all */
export async function takeBackfill(
  client: ClientBase,
  { id, run: former, seenAt }: BackfillState,
  run: string,
): Promise<BackfillState | null> {
  const { rows } = await client.query<BackfillState>(TAKE, [id, run, former, seenAt]);
  return rows[0] ?? null;
}

/** Leaves it to whoever comes next. */
export async function leaveBackfill(client: ClientBase, id: string, run: string): Promise<void> {
  await client.query('update observers.backfill set run = null where id = $1 and run = $2', [id, run]);
}

// The lock on the row is held until the chunk commits. The table is locked against changes of its shape by then.
const ADVANCE = `
  update observers.backfill b set passed = $3, done = done + $4, failed = failed + $5, seen_at = clock_timestamp()
  where id = $1 and run = $2 and state = 'unfinished'
    and exists (select from observers.captured_table c where c.relid = b.relid and c.fingerprint = $6)
    and (select array_agg(a.attname::text order by a.attnum) from pg_attribute a where a.attrelid = b.relid and a.attnum > 0 and not a.attisdropped) = $7::text[]`;

export interface Advance {
  readonly passed: readonly string[];
  readonly done: number;
  readonly failed: number;
}

/** @returns whether it is still this run's, and the capture of the table still the one that it began with */
export async function advanceBackfill(
  client: ClientBase,
  { id, run }: { readonly id: string; readonly run: string },
  { passed, done, failed }: Advance,
  { fingerprint, columns }: { readonly fingerprint: string; readonly columns: readonly string[] },
): Promise<boolean> {
  const { rowCount } = await client.query(ADVANCE, [id, run, passed, done, failed, fingerprint, columns]);
  return rowCount === 1;
}

const TOUCH = `
  with touched as (update observers.backfill set seen_at = clock_timestamp() where id = $1 and run = $2 and state = 'unfinished' returning 1)
  select exists (select from touched) as mine, ${currentVersionOf('$3')} as version,
    exists (select from observers.lease where stream = $3 and expires_at > clock_timestamp()) as led,
    (select count(*)::int from (
      select from observers.checkpoint c, core.tb_entity_change_log l where c.stream = $3 and l.change_xid >= pg_snapshot_xmin(c.previous)
        and not pg_visible_in_snapshot(l.change_xid, c.previous)
        and not (c.target is not null and pg_visible_in_snapshot(l.change_xid, c.target) and l.pk_entity_change_log <= c.after) limit $5) q)
    + (select count(*)::int from (
      select from observers.pending_delivery where stream = $3 and observer = any ($4) and state in ('queued', 'running', 'waiting', 'paused') limit $5) q) as behind`;

/** What a run sees when it looks round. */
export interface Surroundings {
  /** Whether the backfill is still this run's. */
  readonly mine: boolean;
  /** Version of the configuration that the service decides by; null before the first. */
  readonly version: number | null;
  /** Whether a service leads. */
  readonly led: boolean;
  /** Changes that the service has yet to read, and deliveries of the observers that wait; counted up to a limit each. */
  readonly behind: number;
}

/** Gives a sign of life, and looks at the service. */
export async function lookRound(
  client: ClientBase,
  { id, run }: { readonly id: string; readonly run: string },
  { stream, observers, limit }: { readonly stream: string; readonly observers: readonly string[]; readonly limit: number },
): Promise<Surroundings> {
  const { rows } = await client.query<Surroundings>(TOUCH, [id, run, stream, observers, limit]);
  return rows[0] ?? { mine: false, version: null, led: false, behind: 0 };
}

const END = `
  update observers.backfill set state = $2, ended_at = clock_timestamp(), ended_by = $3, run = null
  where id = $1 and state = 'unfinished' and ($4::uuid is null or run = $4)`;

/** @param run only if it is this one's; null: whoever works on it @returns whether it was unfinished */
export async function endBackfill(
  client: ClientBase,
  id: string,
  state: 'finished' | 'cancelled',
  who: string,
  run: string | null,
): Promise<boolean> {
  const { rowCount } = await client.query(END, [id, state, who, run]);
  return rowCount === 1;
}
