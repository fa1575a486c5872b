import type { Pool } from 'pg';
import type { Cursor } from '../../src/checkpoint/cursor';
import { createPool } from '../../src/database/postgres';
import { transaction } from '../../src/database/transaction';
import { GatheringGroup } from '../../src/delivery/gathering-group';
import { writeGroup } from '../../src/delivery/ledger.sql';
import type { AttemptRecord, DeadLetterRecord, Group, PendingRecord } from '../../src/delivery/records';
import { SystemClock } from '../../src/event/clock';
import { Lease } from '../../src/ha/lease';
import type { Claimant, ClaimedDelivery, FreePlaces } from '../../src/jobs/job-queue';
import { createTestDatabase, type TestDatabase } from '../support/database';

export const LONG = 60_000;

/** Where streams have leaders, ledgers and a log, for what is held to a job queue. */
export class JobQueueBench {
  private readonly clock = new SystemClock();
  private readonly leases = new Map<string, Lease>();

  private constructor(
    readonly database: TestDatabase,
    readonly pool: Pool,
  ) {}

  static async open(): Promise<JobQueueBench> {
    const database = await createTestDatabase();
    return new JobQueueBench(database, createPool(database.url, 6));
  }

  async close(): Promise<void> {
    await this.pool.end();
    await this.database.drop();
  }

  /** Nothing is there, and nobody leads. */
  async clear(): Promise<void> {
    const tables = ['pending_delivery', 'attempt', 'dead_letter', 'paused_observer', 'lease'].map((name) => `observers.${name}`);
    await this.database.query(`truncate ${[...tables, 'core.tb_entity_change_log'].join(', ')}`);
    this.leases.clear();
  }

  /** Whoever led gives way. */
  async lead(holder: string, stream = 'main'): Promise<Claimant> {
    await this.leases.get(stream)?.release();
    const lease = await Lease.acquire(this.pool, this.clock, stream, holder, null, LONG);
    if (lease === null) throw new Error(`somebody else leads ${stream}`);
    this.leases.set(stream, lease);
    return { stream, holder, epoch: lease.epoch };
  }

  /** As the ledger of this leader does it. */
  async record(term: Claimant, group: Partial<Group>): Promise<void> {
    const now = this.clock.monotonic();
    const gathering = new GatheringGroup();
    for (const one of group.cancelled ?? []) gathering.cancel(one, now);
    for (const one of group.scheduled ?? []) gathering.schedule(one, now);
    const gathered = gathering.rows();
    const whole = { ...gathered, ...group, attempts: [...gathered.attempts, ...(group.attempts ?? [])], scheduled: gathered.scheduled };
    expect(await writeGroup(this.pool, term, whole, now)).toBe(true);
  }

  put(term: Claimant, ...pending: PendingRecord[]): Promise<void> {
    return this.record(term, { pending });
  }

  /** Its next try has been due for so many seconds. */
  async makeDue(changeNumber: number, seconds = 0): Promise<void> {
    const due = "set next_attempt_at = clock_timestamp() - $2::int * interval '1 s'";
    const rows = await this.database.query(
      `update observers.pending_delivery ${due} where change_number = $1 and next_attempt_at > '-infinity' returning 1`,
      [changeNumber, seconds],
    );
    expect(rows).toHaveLength(1);
  }

  /** Commits changes with these numbers. */
  async log(...changeNumbers: number[]): Promise<void> {
    await this.pool.query(INSERT_CHANGES, [changeNumbers]);
  }

  /** While `work` is done the transaction of this change is under way; then it is committed. */
  async logAround(changeNumber: number, work: () => Promise<void>): Promise<void> {
    await transaction(this.database.client, 'begin', async () => {
      await this.database.query(INSERT_CHANGES, [[changeNumber]]);
      await work();
    });
  }

  /** Whatever is committed by now has been read. */
  async checkpoint(): Promise<Cursor> {
    const { rows } = await this.pool.query<{ previous: string }>('select pg_current_snapshot()::text as previous');
    return { previous: '', target: null, after: 0, ...rows[0] };
  }

  /** All that is on record of what is pending. */
  rows(): Promise<unknown[]> {
    return this.database.query('select * from observers.pending_delivery order by stream, change_number, observer, action');
  }

  /** Whether a session waits for another one's transaction. */
  async isAnybodyWaiting(): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rowCount! > 0;
  }
}

const INSERT_CHANGES = `
  insert into core.tb_entity_change_log (id, pk_entity_change_log, object_type, object_key, modification_type, object_data)
  select gen_random_uuid(), n, 'Order', n, 'INSERT', '{}' from unnest($1::bigint[]) as n`;

/** A delivery that was never tried, each in a lane of its own. */
export function queued(changeNumber: number, of: Partial<PendingRecord> = {}): PendingRecord {
  const where = { observer: 'o', action: 'a', endpoint: 'e', lane: `lane of ${changeNumber}`, party: '-', strict: false } as const;
  const fresh = { state: 'queued', attempt: 1, appointments: 0, elapsed: null, after: 0, claim: null, redrive: false } as const;
  return { changeNumber, ...where, ...fresh, ...of };
}

/** One that has failed once, and is due. */
export function retrying(changeNumber: number, of: Partial<PendingRecord> = {}): PendingRecord {
  return queued(changeNumber, { state: 'retrying', attempt: 2, elapsed: 10, ...of });
}

/** One that its leader took up without a claim; it keeps it in memory, and on record. */
export function running(changeNumber: number, of: Partial<PendingRecord> = {}): PendingRecord {
  return queued(changeNumber, { state: 'running', elapsed: 10, claim: LONG, ...of });
}

/** What is on record of the first try of `queued(changeNumber)`. */
export function attemptOf(changeNumber: number): AttemptRecord {
  const answer = { message: 'refused', status: null, response: null, durationMs: 1, finishedAt: 0, configVersion: 1 };
  return { changeNumber, observer: 'o', action: 'a', attempt: 1, outcome: 'retry', error: 'connection', ...answer };
}

/** The dead letter of `queued(changeNumber)`. */
export function deadLetterOf(changeNumber: number, of: Partial<DeadLetterRecord> = {}): DeadLetterRecord {
  const id = `00000000-0000-4000-8000-${String(changeNumber).padStart(12, '0')}`;
  const entity = { entityType: 'Order', entityKey: String(changeNumber), eventId: id };
  const end = { error: 'timeout', message: 'no answer', status: null, response: null, attempts: 4, configVersion: 1, collapsed: null } as const;
  return { id, changeNumber, observer: 'o', action: 'a', endpoint: 'e', ...entity, ...end, ...of };
}

/** `{ e: 3 }`: three at the endpoint e. */
export function placesOf(free: Readonly<Record<string, number>>): FreePlaces[] {
  return Object.entries(free).map(([endpoint, places]) => ({ endpoint, free: places }));
}

export const numbersOf = (claimed: readonly ClaimedDelivery[]): number[] => claimed.map(({ changeNumber }) => changeNumber);

/** `7 queued 1`: its change, what it was before the claim, and the try that comes now. */
export const linesOf = (claimed: readonly ClaimedDelivery[]): string[] =>
  claimed.map(({ changeNumber, was, attempt }) => `${changeNumber} ${was} ${attempt}`);

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
