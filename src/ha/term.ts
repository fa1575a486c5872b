import { loadCheckpoint } from '../checkpoint/checkpoint.sql';
import { beginPeriod } from '../checkpoint/config-period.sql';
import type { Cursor } from '../checkpoint/cursor';
import type { BreakerState, EndpointState } from '../resilience/endpoint-state';
import { GoneEndpoints } from '../delivery/gone-endpoints';
import { arrangementOf, type Arrangement } from '../jobs/arrangement';
import { takeOverPending } from '../jobs/takeover.sql';
import { messageOf } from '../event/errors';
import { within } from '../event/timing';
import type { Lease } from './lease';
import { Matcher } from '../matching/matcher';
import { recordReconfiguration } from './reconfiguration.sql';
import { Upkeep } from './upkeep';
import { assembleTerm, type StreamConfiguration, type TermDependencies, type TermParts } from './term-parts';

const HAND_OVER_CHECK = 100;

/** One term of leadership: everything that lives and dies with an epoch. */
export class Term {
  private constructor(
    readonly lease: Lease,
    private readonly deps: TermDependencies,
    private readonly parts: TermParts,
  ) {}

  /** Takes up where the last one ended. When that fails, the lease is free again. */
  static async open(lease: Lease, deps: TermDependencies): Promise<Term> {
    const { pool, logger, settings, configuration } = deps;
    const { observers, version: configVersion } = configuration;
    try {
      const cursor = await loadCheckpoint(pool, settings.stream, lease.epoch);
      await beginPeriod(pool, { stream: settings.stream, epoch: lease.epoch, configVersion }, cursor);
      const gone = await GoneEndpoints.load(pool, settings.stream, deps.clock, logger);
      const inherited = await takeOverPending(pool, { stream: settings.stream, epoch: lease.epoch }, cursor, arrangementOf(observers));
      // Last of what may fail: it leaves a timer running.
      const upkeep = new Upkeep(pool, settings.retention, logger);
      await upkeep.start();
      const parts = assembleTerm(lease, deps, cursor, { ...inherited, gone }, upkeep);
      await parts.alerter
        .start(settings.stream, observers)
        .catch((error: unknown) => logger.warn({ err: messageOf(error) }, 'earlier alerts could not be looked up'));
      return new Term(lease, deps, parts);
    } catch (error) {
      await lease.release().catch(() => undefined);
      throw error;
    }
  }

  get inFlight(): number {
    return this.parts.progress.inFlight;
  }

  /** Endpoints that are not simply working. */
  troubledEndpoints(): EndpointState[] {
    const now = this.deps.clock.monotonic();
    return [...this.parts.pipeline.dispatcher.gates.values()].flatMap(({ name, breaker, waitingCount }): EndpointState[] => {
      if (breaker === null || breaker.state === 'closed') return waitingCount === 0 ? [] : [{ name, waiting: waitingCount, breaker: null }];
      const probeIn = breaker.probeIn(now) ?? 0;
      return [{ name, waiting: waitingCount, breaker: { state: breaker.state, probeIn, ...breaker.counts } }];
    });
  }

  breakers(): BreakerState[] {
    const now = this.deps.clock.monotonic();
    return [...this.parts.pipeline.dispatcher.gates.values()].flatMap(({ name, breaker }) => {
      return breaker === null ? [] : [{ name, state: breaker.state, ...breaker.counts, probeIn: breaker.probeIn(now) }];
    });
  }

  /** @returns what it was, or null when there is no such breaker */
  resetBreaker(endpoint: string): BreakerState['state'] | null {
    return this.parts.pipeline.dispatcher.gates.get(endpoint)?.breaker?.reset() ?? null;
  }

  /**
   * Makes ready to go on by another configuration. What this throws has changed nothing.
   *
   * @returns goes on by it from the next page on; deliveries under way end as they began. When the database does not take it, the term
   *   ends, and the next one has to begin with it
   */
  prepare(next: StreamConfiguration): () => Promise<void> {
    this.parts.runner.prepareAll(next.observers);
    const matcher = new Matcher(next.observers);
    const order = arrangementOf(next.observers);
    return async () => {
      const { reader, worker, ledger, pipeline } = this.parts;
      const change = (cursor: Cursor): Promise<void> => {
        pipeline.dispatcher.handOverMoved(order);
        return ledger.exclusively(() => this.change(next, order, matcher, cursor));
      };
      try {
        await reader.between((cursor) => worker.between(() => change(cursor)));
      } catch (error) {
        reader.fail(error);
        throw error;
      }
    };
  }

  /** Nothing is read, claimed or written meanwhile. */
  private async change(next: StreamConfiguration, order: Arrangement, matcher: Matcher, cursor: Cursor): Promise<void> {
    const { pool, settings } = this.deps;
    const { stream } = settings;
    const paused = this.parts.pauses.all;
    const change = { stream, epoch: this.lease.epoch, configVersion: next.version, order, paused };
    const { backlogged, blocked } = await recordReconfiguration(pool, change, cursor);
    const { current, pipeline, ledger, alerter } = this.parts;
    current.matcher = matcher;
    current.version = next.version;
    pipeline.dispatcher.configure(next.observers, backlogged);
    pipeline.dispatcher.strictLanes.learn(blocked, ledger.committed, ledger.newest);
    alerter.use(next.alerts);
  }

  wake(): void {
    this.parts.reader.wake();
  }

  stop(): void {
    this.parts.reader.stop();
  }

  /** Until the reader is stopped or the lease is lost. @param stopping whether the whole process is to end */
  async run(stopping: () => boolean): Promise<void> {
    const handOver = setInterval(() => this.parts.pipeline.dispatcher.handOverSlow(), HAND_OVER_CHECK);
    const working = this.parts.worker.run();
    try {
      await this.parts.reader.run();
    } finally {
      await this.close(working, stopping);
      clearInterval(handOver);
    }
  }

  /** The one ordered list of how a term ends. After another instance has taken over nothing is written any more. */
  private async close(working: Promise<void>, stopping: () => boolean): Promise<void> {
    const { lease } = this;
    const { ledger, runner, upkeep, worker, sideJobs, pipeline, lookups, alerter } = this.parts;
    const { dispatcher } = pipeline;
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
    await lookups.close();
    await alerter.stop();
    ledger.abandon();
  }

  /** Outcomes that have happened wait for the database as long as this process may; a stop does not wait for ever. */
  private async drain(stopping: () => boolean): Promise<void> {
    let drained = false;
    const draining = this.parts.ledger.drain().then(() => (drained = true));
    do await within(draining, this.deps.settings.shutdownTimeout, () => undefined);
    while (!drained && !stopping() && !this.lease.lost);
  }
}
