import { MemoryCache } from '../../../src/cache/memory-cache';
import { MemoryDedup } from '../../../src/dedup/memory-dedup';
import pino from 'pino';
import type { Client, Pool } from 'pg';
import { CustomActions } from '../../../src/actions/custom/custom-actions';
import type { CustomDelivery } from '../../../src/actions/custom/custom-action';
import { UNTRACED } from '../../../src/tracing/tracing';
import { loadCheckpoint } from '../../../src/checkpoint/checkpoint.sql';
import { GoneEndpoints } from '../../../src/delivery/gone-endpoints';
import { arrangementOf } from '../../../src/jobs/arrangement';
import { takeOverPending } from '../../../src/jobs/takeover.sql';
import type { Clock } from '../../../src/event/clock';
import type { ObserverDefinition } from '../../../src/event/definitions';
import type { Outcome } from '../../../src/event/outcome';
import { Lease } from '../../../src/ha/lease';
import type { ListenConnection } from '../../../src/listener/listen-connection';
import { assembleTerm, type TermParts } from '../../../src/ha/term-parts';
import type { Upkeep } from '../../../src/ha/upkeep';
import { defaultSettings } from '../../support/stream';
import { GatedPool, Turnstile } from './turnstile';

export const INLINE_BUDGET = 1_000;
const LEASE = 1e9;

/** A process as far as order is concerned: a term's reader, worker, dispatcher and ledger, each of which goes on only when it is let. */
export class Incarnation {
  readonly ledger = new Turnstile();
  readonly worker = new Turnstile();
  private parts!: TermParts;
  private pool!: GatedPool;
  private round: Promise<unknown> | null = null;
  private lease!: Lease;

  private constructor(private readonly reader: Client) {}

  /** @param send what a delivery is sent to */
  static async begin(
    pool: Pool,
    reader: Client,
    clock: Clock,
    observers: readonly ObserverDefinition[],
    send: (delivery: CustomDelivery) => Promise<Outcome>,
  ): Promise<Incarnation> {
    const one = new Incarnation(reader);
    const settings = defaultSettings({ maxInFlight: 6, inlineBudget: INLINE_BUDGET, commitWindow: 0 });
    const lease = await Lease.acquire(pool, clock, 'main', 'process', null, LEASE);
    if (lease === null) throw new Error('the lease was not free');
    one.lease = lease;
    const cursor = await loadCheckpoint(pool, 'main', lease.epoch);
    const logger = pino({ level: process.env['TEST_LOG'] ?? 'silent' });
    const gone = await GoneEndpoints.load(pool, 'main', clock, logger);
    const inherited = await takeOverPending(pool, { stream: 'main', epoch: lease.epoch }, cursor, arrangementOf(observers));
    const listen = { backendPid: null, fallAsleep: () => Promise.resolve(false), wakeUp: () => undefined } as unknown as ListenConnection;
    one.pool = new GatedPool(pool, one.ledger, one.worker);
    one.parts = assembleTerm(
      lease,
      {
        url: '',
        pool: one.pool as unknown as Pool,
        clock,
        logger,
        settings,
        configuration: { observers, alerts: null, captures: [], version: 1 },
        observersOf: () => observers,
        custom: new CustomActions(new Map([['receiver', { prepare: () => send }]]), () => Promise.resolve()),
        tracing: UNTRACED,
        holder: 'process',
        listen,
        dedup: new MemoryDedup(clock),
        cache: new MemoryCache(),
        subscribers: [],
        sideJobs: [],
        onStale: () => undefined,
      },
      cursor,
      { ...inherited, gone },
      {} as Upkeep,
    );
    // It never waits for time or for a notification: a page is read when the test says so.
    one.parts.reader.stop();
    return one;
  }

  /** Reads a page. */
  read(): Promise<void> {
    return this.parts.reader['step'](this.reader);
  }

  /** A round of the worker begins, or the one that is under way goes on. */
  async work(halves: number): Promise<void> {
    if (this.round === null) {
      this.round = this.parts.worker['round']()
        .catch(() => undefined)
        .finally(() => (this.round = null));
      await this.worker.settled();
    }
    await this.worker.step(halves);
  }

  handOverSlow(): void {
    this.parts.pipeline.dispatcher.handOverSlow();
  }

  /** kill -9: what was in memory is nowhere, what was not sent is never sent. */
  kill(): void {
    this.lease.refuse();
    this.parts.ledger.abandon();
    this.parts.pipeline.dispatcher.close();
    this.pool.kill();
  }

  /** From now on nothing waits to be let. */
  async letGo(): Promise<void> {
    this.ledger.release();
    this.worker.release();
    await this.round;
  }

  drain(): Promise<void> {
    return this.parts.ledger.drain();
  }
}
