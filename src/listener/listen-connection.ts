import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import type { Logger } from 'pino';
import { isBehindPooler, serverPidOf } from '../database/pinned-client';
import { connect, destroySocket, disconnect } from '../database/postgres';
import { messageOf } from '../event/errors';

const CHANNEL = 'fraiseql_observers';
// The key in migration 0020's force_change(): "observers" is asleep while it is held exclusively.
const LOCK = '1868718693, 1';
const PING_EVERY = 4_000;
/** A peer that does not answer a ping for so long is gone, whatever its socket says. */
const PING_TIMEOUT = 4_000;
const LONGEST_RETRY = 1_000;
/** How long a notification may take before it counts as swallowed by a pooler. */
const SELF_TEST = 1_000;

/**
 * The session that waits for NOTIFY. It is a hint and no more: while it is lost, or behind a pooler that swallows notifications,
 * polling covers. Its existence is also what tells stand-bys that this process lives.
 */
export class ListenConnection {
  private client: Client | null = null;
  private closed = false;
  private heartbeat: NodeJS.Timeout | null = null;
  private asleep = false;
  /** False behind PgBouncer in transaction mode, where LISTEN is impossible. */
  private hears = false;

  /** @param onWake called for every notification, and when the connection is lost or back: then it is time to poll */
  constructor(
    private readonly url: string,
    private readonly logger: Logger,
    private readonly wanted: boolean,
    private readonly onWake: () => void,
  ) {}

  /** PostgreSQL's pid of the session, or null while there is none that lasts. */
  get backendPid(): number | null {
    return this.client === null || !this.hears ? null : serverPidOf(this.client);
  }

  /** @throws OperatorError when the first connection cannot be made. */
  async open(): Promise<void> {
    await this.connect();
    this.beat();
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.heartbeat !== null) clearTimeout(this.heartbeat);
    const { client } = this;
    this.client = null;
    if (client !== null) await disconnect(client);
  }

  /**
   * Asks writers for a NOTIFY. Granted only when no writer that found us awake is still uncommitted, so one more poll afterwards sees
   * all that was not announced.
   *
   * @returns false while such a writer, or another listener, holds the lock; then polling goes on
   */
  async fallAsleep(): Promise<boolean> {
    if (this.client === null || !this.hears || !this.wanted) return false;
    try {
      const { rows } = await this.client.query<{ locked: boolean }>(`select pg_try_advisory_lock(${LOCK}) as locked`);
      this.asleep = rows[0]?.locked ?? false;
    } catch {
      this.asleep = false;
    }
    return this.asleep;
  }

  /** Rows came: writers need not notify any longer. */
  wakeUp(): void {
    if (!this.asleep) return;
    this.asleep = false;
    this.client?.query(`select pg_advisory_unlock(${LOCK})`).catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const client = await connect(this.url, 'listen');
    try {
      this.hears = await hears(client, this.url);
      if (this.hears && this.wanted) await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (!this.hears)
      this.logger.warn(
        'this connection goes through a pooler that swallows notifications (PgBouncer in transaction mode?): polling instead',
      );
    // close() may have come while this one was being made.
    if (this.closed) return disconnect(client);
    this.client = client;
    client.on('notification', this.onWake);
    client.once('end', () => void this.lost(client));
    client.once('error', () => void this.lost(client));
  }

  private async lost(client: Client): Promise<void> {
    if (this.client !== client || this.closed) return;
    this.client = null;
    this.asleep = false;
    void client.end().catch(() => undefined);
    this.logger.warn('the LISTEN connection is lost; polling until it is back');
    this.onWake();
    for (let wait = 50; !this.closed; wait = Math.min(wait * 2, LONGEST_RETRY)) {
      try {
        await this.connect();
        this.logger.info('the LISTEN connection is back');
        this.onWake();
        return;
      } catch (error) {
        this.logger.debug({ err: messageOf(error) }, 'no LISTEN connection yet');
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  /** A half-open socket never reports an error: only a question that stays unanswered shows it. */
  private beat(): void {
    this.heartbeat = setTimeout(() => {
      const { client } = this;
      if (client === null) return this.beat();
      const timeout = setTimeout(() => {
        destroySocket(client);
        void this.lost(client);
      }, PING_TIMEOUT);
      void client
        .query('select 1')
        .catch(() => undefined)
        .finally(() => {
          clearTimeout(timeout);
          if (!this.closed) this.beat();
        });
    }, PING_EVERY);
  }
}

/**
 * Whether a notification of another session reaches this one. In transaction mode a pooler passes on only what comes while a statement of
 * ours runs, so that one we send ourselves proves nothing.
 */
async function hears(client: Client, url: string): Promise<boolean> {
  if (!isBehindPooler(client)) return true;
  const channel = `fraiseql_observers_test_${randomBytes(8).toString('hex')}`;
  await client.query(`listen ${channel}`);
  const other = await connect(url, 'listen test');
  try {
    const heard = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), SELF_TEST);
      client.once('notification', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    await other.query(`notify ${channel}`);
    return await heard;
  } finally {
    await disconnect(other);
    // In any mode: what a session listens to outlives its transaction, and here the session may be anybody's.
    await client.query(`unlisten ${channel}`);
  }
}
