import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { ActionRunner } from '../actions/action-runner';
import type { CustomActions } from '../actions/custom/custom-actions';
import type { Tracing } from '../actions/tracing';
import { loadCheckpoint } from '../checkpoint/checkpoint.sql';
import { beginPeriod } from '../checkpoint/config-period.sql';
import type { Cursor } from '../checkpoint/cursor';
import { Progress } from '../checkpoint/progress';
import type { Settings } from '../config/settings';
import { MemoryDedup } from '../delivery/dedup';
import { PostgresDedup } from '../delivery/dedup.sql';
import type { EndpointGate } from '../delivery/endpoint-gate';
import type { BreakerState, EndpointState } from '../delivery/endpoint-state';
import { GoneEndpoints } from '../delivery/gone-endpoints';
import { Ledger } from '../delivery/ledger';
import { OnceStore } from '../delivery/once';
import { orderOf } from '../delivery/order';
import type { Pauses } from '../delivery/pauses';
import { takeOverPending, type Inherited } from '../delivery/pending.sql';
import type { Clock } from '../event/clock';
import type { EndpointDefinition, ObserverDefinition } from '../event/definitions';
import { messageOf } from '../event/errors';
import { within } from '../event/within';
import type { Lease } from '../ha/lease';
import { Alerter } from '../jobs/alerter';
import { DeliveryWorker } from '../jobs/delivery-worker';
import { OlderConfigurations } from '../jobs/older-configurations';
import { Matcher } from '../matching/matcher';
import { Lookups } from '../lookups/lookups';
import { CurrentConfiguration } from '../pipeline/current-configuration';
import { Deduplication } from '../pipeline/deduplication';
import { Dispatcher } from '../pipeline/dispatcher';
import { Enrichment } from '../pipeline/enrichment';
import { EventPipelineService } from '../pipeline/event-pipeline.service';
import { together, type PipelineListener } from '../pipeline/pipeline-listener';
import { Shadow } from '../pipeline/shadow';
import { ChangeLogReader } from './change-log-reader';
import type { ListenConnection } from './listen-connection';
import { recordReconfiguration } from './reconfiguration.sql';
import type { SideJob, SideJobs } from './side-job';
import { Upkeep } from './upkeep';

const HAND_OVER_CHECK = 100;

/** What a reload changes. */
export interface StreamConfiguration {
  readonly observers: readonly ObserverDefinition[];
  /** Where alerts go; null when nobody asks for them. */
  readonly alerts: EndpointDefinition | null;
  readonly version: number;
}

export interface TermDependencies {
  readonly url: string;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: Settings;
  readonly configuration: StreamConfiguration;
  /** The observers of an older version's text. */
  readonly observersOf: (text: string) => readonly ObserverDefinition[];
  readonly custom: CustomActions;
  readonly tracing: Tracing;
  readonly holder: string;
  readonly listen: ListenConnection;
  readonly listeners: readonly PipelineListener[];
  readonly sideJobs: SideJobs;
  /** A page was read. */
  readonly onRead: () => void;
  /** An event has run its course. */
  readonly onFinished: () => void;
  /** A newer leader has taken over. */
  readonly onStale: () => void;
  /** An endpoint's circuit breaker has changed its state. */
  readonly onBreaker: () => void;
}

/** One term of leadership: everything that lives and dies with an epoch. */
export class Term {
  private constructor(
    readonly lease: Lease,
    private readonly deps: TermDependencies,
    private readonly progress: Progress,
    private readonly ledger: Ledger,
    private readonly pipeline: EventPipelineService,
    private readonly reader: ChangeLogReader,
    private readonly worker: DeliveryWorker,
    private readonly upkeep: Upkeep,
    private readonly runner: ActionRunner,
    private readonly lookups: Lookups,
    private readonly alerter: Alerter,
    private readonly current: CurrentConfiguration,
    private readonly pauses: Pauses,
    private readonly sideJobs: readonly SideJob[],
  ) {}

  /** Takes up where the last one ended. When that fails, the lease is free again. */
  static async open(lease: Lease, deps: TermDependencies): Promise<Term> {
    const { pool, logger, settings, configuration } = deps;
    const { observers, version: configVersion } = configuration;
    try {
      const cursor = await loadCheckpoint(pool, settings.stream, lease.epoch);
      await beginPeriod(pool, { stream: settings.stream, epoch: lease.epoch, configVersion }, cursor);
      const gone = await GoneEndpoints.load(pool, settings.stream, deps.clock, logger);
      const inherited = await takeOverPending(pool, settings.stream, orderOf(observers));
      // Last of what may fail: it leaves a timer running.
      const upkeep = new Upkeep(pool, settings.retention, logger);
      await upkeep.start();
      const term = Term.assemble(lease, deps, cursor, { ...inherited, gone }, upkeep);
      await term.alerter
        .start(settings.stream, observers)
        .catch((error: unknown) => logger.warn({ err: messageOf(error) }, 'earlier alerts could not be looked up'));
      return term;
    } catch (error) {
      await lease.release().catch(() => undefined);
      throw error;
    }
  }

  private static assemble(
    lease: Lease,
    deps: TermDependencies,
    cursor: Awaited<ReturnType<typeof loadCheckpoint>>,
    inherited: Inherited & { readonly gone: GoneEndpoints },
    upkeep: Upkeep,
  ): Term {
    const { url, pool, clock, logger, settings, configuration, custom, tracing, holder, listen } = deps;
    const { observers, alerts, version } = configuration;
    const { stream, maxEventSize, commitWindow, inlineBudget, maxInFlight, pollInterval, maxHops } = settings;
    const current = new CurrentConfiguration(new Matcher(observers), version);
    const fence = { stream, epoch: lease.epoch, holder };
    const runner = new ActionRunner(observers, logger, { settings, custom, tracing, once: new OnceStore(url, fence) });
    const progress = new Progress();
    const listener = together([...deps.listeners, { event: deps.onFinished }, { event: () => reader.freed() }]);
    const ledger = new Ledger(pool, progress, clock, logger, { fence, commitWindow, onStale: deps.onStale, listener });
    const store = settings.dedupDriver === 'memory' ? new MemoryDedup(clock) : new PostgresDedup(pool);
    const dedup = new Deduplication(store, listener);
    const lookups = new Lookups(clock, logger, listener);
    const enrichment = new Enrichment(lookups, clock);
    const alerter = new Alerter(pool, alerts, logger);
    const shadow = new Shadow({ runner, enrichment, ledger, clock, logger, listener, inlineBudget });
    const pipeline = new EventPipelineService(current, progress, ledger, clock, logger, listener, maxHops, shadow, (onFinished) => {
      return new Dispatcher({
        runner,
        observers,
        enrichment,
        dedup,
        ledger,
        clock,
        lease,
        inlineBudget,
        logger,
        ...inherited,
        onFinished,
        listener,
        onBreaker: (gate) => {
          logBreaker(logger, gate);
          deps.onBreaker();
        },
        onAlert: (letter) => alerter.failed(letter),
      });
    });
    const workerOptions = { stream, holder, maxEventSize };
    const older = new OlderConfigurations(pool, runner, deps.observersOf);
    const { pauses } = inherited;
    const worker = new DeliveryWorker(pool, current, older, pipeline, pauses, ledger, lease, clock, logger, workerOptions);
    const readerOptions = { url, maxInFlight, maxEventSize, pollInterval, onRead: deps.onRead };
    const reader = new ChangeLogReader(cursor, pipeline, progress, listen, lease, readerOptions);
    const sideJobs = deps.sideJobs.map((begin) => begin(lease));
    return new Term(lease, deps, progress, ledger, pipeline, reader, worker, upkeep, runner, lookups, alerter, current, pauses, sideJobs);
  }

  get inFlight(): number {
    return this.progress.inFlight;
  }

  /** Endpoints that are not simply working. */
  troubledEndpoints(): EndpointState[] {
    const now = this.deps.clock.monotonic();
    return [...this.pipeline.dispatcher.gates.values()].flatMap(({ name, breaker, waitingCount }): EndpointState[] => {
      if (breaker === null || breaker.state === 'closed') return waitingCount === 0 ? [] : [{ name, waiting: waitingCount, breaker: null }];
      const probeIn = breaker.probeIn(now) ?? 0;
      return [{ name, waiting: waitingCount, breaker: { state: breaker.state, probeIn, ...breaker.counts } }];
    });
  }

  breakers(): BreakerState[] {
    const now = this.deps.clock.monotonic();
    return [...this.pipeline.dispatcher.gates.values()].flatMap(({ name, breaker }) => {
      return breaker === null ? [] : [{ name, state: breaker.state, ...breaker.counts, probeIn: breaker.probeIn(now) }];
    });
  }

  /** @returns what it was, or null when there is no such breaker */
  resetBreaker(endpoint: string): BreakerState['state'] | null {
    return this.pipeline.dispatcher.gates.get(endpoint)?.breaker?.reset() ?? null;
  }

  /**
   * Makes ready to go on by another configuration. What this throws has changed nothing.
   *
   * @returns goes on by it from the next page on; deliveries under way end as they began. When the database does not take it, the term
   *   ends, and the next one has to begin with it
   */
  prepare(next: StreamConfiguration): () => Promise<void> {
    this.runner.prepareAll(next.observers);
    const matcher = new Matcher(next.observers);
    return async () => {
      const { reader, worker, ledger } = this;
      try {
        await reader.between((cursor) => worker.between(() => ledger.exclusively(() => this.change(next, matcher, cursor))));
      } catch (error) {
        reader.fail(error);
        throw error;
      }
    };
  }

  /** Nothing is read, claimed or written meanwhile. */
  private async change(next: StreamConfiguration, matcher: Matcher, cursor: Cursor): Promise<void> {
    const { pool, settings } = this.deps;
    const { stream } = settings;
    const [order, paused] = [orderOf(next.observers), this.pauses.all];
    const change = { stream, epoch: this.lease.epoch, configVersion: next.version, order, paused };
    const { backlog, blocked } = await recordReconfiguration(pool, change, cursor);
    this.current.matcher = matcher;
    this.current.version = next.version;
    const { dispatcher } = this.pipeline;
    dispatcher.configure(next.observers, backlog);
    dispatcher.strictLanes.learn(blocked, this.ledger.committed, this.ledger.newest);
    this.alerter.use(next.alerts);
  }

  wake(): void {
    this.reader.wake();
  }

  stop(): void {
    this.reader.stop();
  }

  /** Until the reader is stopped or the lease is lost. @param stopping whether the whole process is to end */
  async run(stopping: () => boolean): Promise<void> {
    const handOver = setInterval(() => this.pipeline.dispatcher.handOverSlow(), HAND_OVER_CHECK);
    const working = this.worker.run();
    try {
      await this.reader.run();
    } finally {
      await this.close(working, stopping);
      clearInterval(handOver);
    }
  }

  /** The one ordered list of how a term ends. After another instance has taken over nothing is written any more. */
  private async close(working: Promise<void>, stopping: () => boolean): Promise<void> {
    const { ledger, lease, runner, upkeep, worker, sideJobs } = this;
    const { dispatcher } = this.pipeline;
    worker.stop();
    await working;
    await Promise.all([upkeep, ...sideJobs].map((job) => job.stop()));
    if (!lease.lost) {
      const { shutdownTimeout, inlineBudget } = this.deps.settings;
      dispatcher.handOverWaiting();
      await within(dispatcher.whenIdle(), stopping() ? shutdownTimeout : inlineBudget, () => undefined);
      // What still runs is cut off, and recorded as to be tried again.
      await runner.close();
      await dispatcher.whenIdle();
      await this.drain(stopping);
      await lease.release().catch(() => undefined);
    } else await runner.close();
    dispatcher.close();
    await this.lookups.close();
    await this.alerter.stop();
    ledger.abandon();
  }

  /** Outcomes that have happened wait for the database as long as this process may; a stop does not wait for ever. */
  private async drain(stopping: () => boolean): Promise<void> {
    let drained = false;
    const draining = this.ledger.drain().then(() => (drained = true));
    do await within(draining, this.deps.settings.shutdownTimeout, () => undefined);
    while (!drained && !stopping() && !this.lease.lost);
  }
}

function logBreaker(logger: Logger, { name, breaker, limits }: EndpointGate): void {
  if (breaker === null) return;
  const { requests, failures } = breaker.counts;
  const fields = { endpoint: name, breaker: breaker.state, requests, failures };
  if (breaker.state === 'open')
    logger.warn(
      fields,
      `the circuit breaker is open: deliveries wait, and one is tried in ${(limits.circuitBreaker?.openFor ?? 0) / 1_000} s`,
    );
  else logger.info(fields, breaker.state === 'half-open' ? 'the circuit breaker lets one delivery try' : 'the circuit breaker is closed');
}
