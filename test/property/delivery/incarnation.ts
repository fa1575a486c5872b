import pino from 'pino';
import type { Client, Pool } from 'pg';
import { ActionRunners } from '../../../src/actions/actions.module';
import type { CustomDelivery } from '../../../src/actions/custom/custom-action';
import { CustomActions } from '../../../src/actions/custom/custom-actions';
import { MemoryCache } from '../../../src/cache/memory-cache';
import { Checkpoints } from '../../../src/checkpoint/checkpoints';
import { Connections } from '../../../src/connections/connections.module';
import { DatabaseUrl } from '../../../src/database/database.module';
import { Deduplications } from '../../../src/dedup/deduplication';
import { MemoryDedup } from '../../../src/dedup/memory-dedup';
import { Ledgers } from '../../../src/delivery/ledgers';
import type { Clock } from '../../../src/event/clock';
import type { ObserverDefinition } from '../../../src/event/definitions';
import type { Outcome } from '../../../src/event/outcome';
import { Lease } from '../../../src/ha/lease';
import { PostgresJobQueue } from '../../../src/jobs/postgres-job-queue';
import type { ChangeLogReader } from '../../../src/listener/change-log-reader';
import type { ListenConnection } from '../../../src/listener/listen-connection';
import { Readers } from '../../../src/listener/listener.module';
import { Enrichments } from '../../../src/lookups/lookups.module';
import type { EventPipeline } from '../../../src/pipeline/event-pipeline';
import { EventPipelineService } from '../../../src/pipeline/event-pipeline.service';
import { PipelineEvents } from '../../../src/pipeline/pipeline-events';
import { EndpointGates } from '../../../src/resilience/endpoint-gates';
import { UNTRACED } from '../../../src/tracing/tracing';
import type { JobWorker } from '../../../src/worker/job-worker';
import { JobWorkers } from '../../../src/worker/worker.module';
import { configurationOf } from '../../support/stream';
import { GatedPool, Turnstile } from './turnstile';

export const INLINE_BUDGET = 1_000;
const LEASE = 1e9;

/** A process as far as order is concerned: a term's reader, worker, dispatcher and ledger, each of which goes on only when it is let. */
export class Incarnation {
  readonly ledger = new Turnstile();
  readonly worker = new Turnstile();
  private pipeline!: EventPipeline;
  private doors!: { readonly reader: ChangeLogReader; readonly worker: JobWorker };
  private pool!: GatedPool;
  private round: Promise<unknown> | null = null;
  private lease!: Lease;

  private constructor(private readonly client: Client) {}

  /** @param send what a delivery is sent to */
  static async begin(
    pool: Pool,
    client: Client,
    clock: Clock,
    observers: readonly ObserverDefinition[],
    send: (delivery: CustomDelivery) => Promise<Outcome>,
  ): Promise<Incarnation> {
    const one = new Incarnation(client);
    const lease = await Lease.acquire(pool, clock, 'main', 'process', null, LEASE);
    if (lease === null) throw new Error('the lease was not free');
    one.lease = lease;
    one.pool = new GatedPool(pool, one.ledger, one.worker);
    const gated = one.pool as unknown as Pool;
    const logger = pino({ level: process.env['TEST_LOG'] ?? 'silent' });
    const configuration = configurationOf(observers, { settings: { maxInFlight: 6, inlineBudget: INLINE_BUDGET, commitWindow: 0 } });
    const custom = new CustomActions(new Map([['receiver', { prepare: () => send }]]), () => Promise.resolve());
    const url = new DatabaseUrl('');
    // What a term begins with is read at once; what it does later goes through the turnstiles.
    const ledgers = new Ledgers(gated);
    ledgers.goneEndpoints = (term) => new Ledgers(pool).goneEndpoints(term);
    const jobs = new PostgresJobQueue(gated);
    jobs.takeOver = (...args) => new PostgresJobQueue(pool).takeOver(...args);
    const pipelines = new EventPipelineService(
      new Checkpoints(pool),
      ledgers,
      jobs,
      new EndpointGates(),
      new ActionRunners(new Connections(configuration, clock), url, custom, UNTRACED),
      new Deduplications(new MemoryDedup(clock)),
      new Enrichments(new MemoryCache(clock)),
      new PipelineEvents(),
    );
    const context = { stream: 'main', holder: 'process', epoch: lease.epoch, mandate: lease, clock, logger };
    one.pipeline = await pipelines.open(context, { observers, alerts: null, captures: [], version: 1 }, configuration.settings);
    const listen = { backendPid: null, fallAsleep: () => Promise.resolve(false), wakeUp: () => undefined } as unknown as ListenConnection;
    const reader = new Readers(url, configuration, logger).open(one.pipeline, listen);
    const worker = new JobWorkers(gated, jobs, configuration).open(one.pipeline);
    one.doors = { reader, worker };
    // It never waits for time or for a notification: a page is read when the test says so.
    reader.stop();
    return one;
  }

  /** Reads a page. */
  read(): Promise<void> {
    return this.doors.reader['step'](this.client);
  }

  /** A round of the worker begins, or the one that is under way goes on. */
  async work(halves: number): Promise<void> {
    if (this.round === null) {
      this.round = this.doors.worker['round']()
        .catch(() => undefined)
        .finally(() => (this.round = null));
      await this.worker.settled();
    }
    await this.worker.step(halves);
  }

  handOverSlow(): void {
    this.pipeline.dispatcher.handOverSlow();
  }

  /** kill -9: what was in memory is nowhere, what was not sent is never sent. */
  kill(): void {
    this.lease.refuse();
    this.pipeline.ledger.abandon();
    this.pipeline.dispatcher.close();
    this.pool.kill();
  }

  /** From now on nothing waits to be let. */
  async letGo(): Promise<void> {
    this.ledger.release();
    this.worker.release();
    await this.round;
  }

  drain(): Promise<void> {
    return this.pipeline.ledger.drain();
  }
}
