import { escapeLiteral, type Pool, type PoolClient } from 'pg';
import { isBehindPooler, PIN_TRANSACTION, alongPath } from '../../database/pinned-client';
import { createPool, destroySocket } from '../../database/postgres';
import type { Cause } from '../../event/cause';
import type { TraceContext } from '../../event/trace-context';
import type { Fence } from '../../delivery/ledger.sql';
import type { DeliveryKey } from '../../delivery/records';

/** Calls under way at once. */
export const ONCE_CONNECTIONS = 5;
/** Added to a call's own timeout before its connection counts as lost. */
const ANSWER_MARGIN = 2_000;

export interface Call extends DeliveryKey {
  /** The delivery id. */
  readonly id: string;
  readonly attempt: number;
  readonly text: string;
  readonly values: readonly unknown[];
  /** What the changes that it makes are put down to. */
  readonly cause: Cause;
  /** What the changes that it makes carry on. */
  readonly trace: TraceContext | null;
  /** Milliseconds. */
  readonly timeout: number;
  readonly configVersion: number;
}

// Whoever else works on the same delivery (a claim that ran out, a leader that was stopped) waits here, and then finds it done.
const LOCK = 'select pg_advisory_xact_lock(hashtextextended($1, 0))';

const FOUND = `
  select from observers.attempt
  where change_number = $1 and observer = $2 and action = $3 and outcome = 'succeeded' limit 1`;

// The lease is locked for the moment of the commit only: a call may take long, and the lease must be renewed meanwhile.
const RECORD = `
  with fence as materialized (
    select stream from observers.lease where stream = $1 and epoch = $2 for share
  ), attempt as (
    insert into observers.attempt (change_number, observer, action, attempt, outcome, duration_ms, finished_at, config_version)
    select $4, $5, $6, $7, 'succeeded', $8, clock_timestamp(), $3 from fence
  ), ended as (
    delete from observers.pending_delivery p using fence where p.change_number = $4 and p.observer = $5 and p.action = $6
  )
  select count(*)::int as fenced from fence`;

/** What database actions call their functions through. */
export type OnceCalls = Pick<ExactlyOnceCalls, 'run' | 'closed' | 'close'>;

/** Statements that are committed together with the record of their delivery, so that they take effect exactly once. */
export class ExactlyOnceCalls {
  private readonly pool: Pool;
  private readonly active = new Set<PoolClient>();
  private readonly prepared = new WeakSet<PoolClient>();
  closed = false;

  /** Connects when it is first used. */
  constructor(
    url: string,
    private readonly fence: Fence,
  ) {
    this.pool = createPool(url, ONCE_CONNECTIONS);
  }

  /**
   * @returns `already` when it had been done before, `stale` when another instance leads by now and nothing was done
   * @throws what the statement or the database failed with; nothing was done then, or the next call finds it done
   */
  async run(call: Call): Promise<'done' | 'already' | 'stale'> {
    const client = await this.pool.connect();
    this.active.add(client);
    try {
      await this.prepare(client);
      const result = await this.transaction(client, call);
      client.release();
      return result;
    } catch (error) {
      // The transaction ends with its session, whatever state it is in.
      client.release(true);
      throw error;
    } finally {
      this.active.delete(client);
    }
  }

  /** Calls under way are cut off, and have not taken effect. */
  async close(): Promise<void> {
    this.closed = true;
    for (const client of this.active) destroySocket(client);
    await this.pool.end();
  }

  /** Otherwise a call whose caller was killed runs on to its end, and holds the lock of its delivery until then. */
  private async prepare(client: PoolClient): Promise<void> {
    if (this.prepared.has(client) || isBehindPooler(client)) return;
    // Not every system can notice it; there it takes as long as it takes.
    await client.query("set client_connection_check_interval = '1s'").catch(() => undefined);
    this.prepared.add(client);
  }

  private async transaction(client: PoolClient, call: Call): Promise<'done' | 'already' | 'stale'> {
    const { id, changeNumber, observer, action, attempt, text, values, timeout } = call;
    const startedAt = performance.now();
    const patience = { query_timeout: timeout + ANSWER_MARGIN };
    await client.query(`begin; ${PIN_TRANSACTION}; set local statement_timeout = ${Math.ceil(timeout)}; ${originOf(call)}`);
    await client.query({ text: LOCK, values: [id], ...patience });
    const { rowCount: found } = await client.query(FOUND, [changeNumber, observer, action]);
    if (found === 1) {
      await client.query('rollback');
      return 'already';
    }
    await client.query(alongPath('callers', { text, values: [...values], ...patience }));
    const { stream, epoch } = this.fence;
    const record = [stream, epoch, call.configVersion, changeNumber, observer, action, attempt, performance.now() - startedAt];
    const { rows } = await client.query<{ fenced: number }>(alongPath('ours', { text: RECORD, values: record }));
    const fenced = rows[0]?.fenced === 1;
    await client.query(fenced ? 'commit' : 'rollback');
    return fenced ? 'done' : 'stale';
  }
}

/** Statements that tell the capture of what the call writes where it comes from. */
export function originOf({ cause, trace }: Pick<Call, 'cause' | 'trace'>): string {
  const set = (name: string, value: string): string => `set local observers.${name} = ${escapeLiteral(value)}`;
  const traced = trace === null ? [] : [set('traceparent', trace.traceparent), set('tracestate', trace.tracestate ?? '')];
  return [set('cause', cause), ...traced].join('; ');
}
