import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { ActionRunner } from '../actions/action-runner';
import { loadCheckpoint } from '../checkpoint/checkpoint.sql';
import { Progress } from '../checkpoint/progress';
import type { Settings } from '../config/settings';
import { Ledger } from '../delivery/ledger';
import { OnceStore } from '../delivery/once';
import { takeOverPending } from '../delivery/pending.sql';
import type { Clock } from '../event/clock';
import type { ObserverDefinition } from '../event/definitions';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { Lease } from '../ha/lease';
import { heartbeat, removeListener } from '../ha/lease.sql';
import { DeliveryWorker } from '../jobs/delivery-worker';
import { OlderConfigurations } from '../jobs/older-configurations';
import { Matcher } from '../matching/matcher';
import { Dispatcher } from '../pipeline/dispatcher';
import { EventPipelineService, type EventListener } from '../pipeline/event-pipeline.service';
import { ChangeLogReader } from './change-log-reader';
import { ListenConnection } from './listen-connection';
import { Upkeep } from './upkeep';

const STANDBY_POLL = 1_000;
const FIRST_RETRY = 50;
const LONGEST_RETRY = 1_000;
const HAND_OVER_CHECK = 100;
/** Neither a page read nor an event finished for so long, in milliseconds: the reader is stuck. */
const STUCK_AFTER = 30_000;

/** What this instance is doing about its stream. */
export type StreamState = 'starting' | 'standing by' | 'leading' | 'stopped';

export interface StreamDependencies {
  readonly url: string;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: Settings;
  readonly observers: readonly ObserverDefinition[];
  /** The observers of an older version's text. */
  readonly observersOf: (text: string) => readonly ObserverDefinition[];
  readonly configVersion: number;
  readonly version: string;
  /** `host:port` of this instance's probes. */
  readonly address: () => string | null;
  readonly listeners: readonly EventListener[];
}

/** One term of leadership: everything that lives and dies with an epoch. */
interface Term {
  readonly lease: Lease;
  readonly progress: Progress;
  readonly ledger: Ledger;
  readonly pipeline: EventPipelineService;
  readonly reader: ChangeLogReader;
  readonly worker: DeliveryWorker;
  readonly upkeep: Upkeep;
  readonly runner: ActionRunner;
}

/**
 * Leads a stream, or stands by until it may.
 *
 *   starting → standing by ⇄ leading → stopped
 */
export class StreamService {
  readonly holder: string;
  state: StreamState = 'starting';
  /** Monotonic time of the last sign of progress: a page read, an event finished, or nothing to lead. */
  progressAt: number;
  private term: Term | null = null;
  private listen: ListenConnection | null = null;
  private running: Promise<void> | null = null;
  private stopping = false;
  private wakeStandby: (() => void) | null = null;
  private fatal: (error: unknown) => void = () => undefined;

  constructor(private readonly deps: StreamDependencies) {
    this.holder = `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`;
    this.progressAt = deps.clock.monotonic();
  }

  /** Milliseconds without progress after which something is wrong: an idle stream may look by itself only once a minute. */
  get stuckAfter(): number {
    return STUCK_AFTER + this.deps.settings.pollInterval;
  }

  get inFlight(): number {
    return this.term?.progress.inFlight ?? 0;
  }

  /** @param onFatal called when leading is impossible until a person acts: a checkpoint of another cluster, say. */
  async start(onFatal: (error: unknown) => void): Promise<void> {
    const { url, logger, settings } = this.deps;
    this.fatal = onFatal;
    this.listen = new ListenConnection(url, logger, settings.wakeup === 'notify', () => {
      this.term?.reader.wake();
      this.wakeStandby?.();
      this.recordSession();
    });
    await this.listen.open();
    this.running = this.loop();
  }

  /** Stops reading, lets what runs end within `shutdownTimeout`, records the rest as pending, commits, releases the lease. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.term?.reader.stop();
    this.wakeStandby?.();
    await this.running;
    await removeListener(this.deps.pool, this.holder).catch(() => undefined);
    await this.listen?.close();
    this.state = 'stopped';
  }

  private async loop(): Promise<void> {
    let wait = FIRST_RETRY;
    while (!this.stopping) {
      try {
        const lease = await this.acquire();
        if (lease === null) await this.standBy();
        else await this.lead(lease);
        wait = FIRST_RETRY;
      } catch (error) {
        if (error instanceof OperatorError && error.exitCode === ExitCode.configuration) return this.fatal(error);
        this.state = 'starting';
        this.deps.logger.warn({ err: messageOf(error) }, 'the stream cannot be read; starting over from the checkpoint');
        await this.pause(wait);
        wait = Math.min(wait * 2, LONGEST_RETRY);
      }
    }
  }

  private async acquire(): Promise<Lease | null> {
    const { pool, clock, settings } = this.deps;
    await this.beat();
    return Lease.acquire(pool, clock, settings.stream, this.holder, this.listen?.backendPid ?? null, settings.leaseTtl);
  }

  private async standBy(): Promise<void> {
    if (this.state !== 'standing by') this.deps.logger.info({ stream: this.deps.settings.stream }, 'another instance leads; standing by');
    this.state = 'standing by';
    this.progressAt = this.deps.clock.monotonic();
    await this.pause(STANDBY_POLL);
  }

  private async lead(lease: Lease): Promise<void> {
    const { logger, settings } = this.deps;
    const term = await this.openTerm(lease).catch(async (error: unknown) => {
      await lease.release().catch(() => undefined);
      throw error;
    });
    this.term = term;
    // A stop may have come while the term was opened, when there was no reader to tell.
    if (this.stopping) term.reader.stop();
    this.state = 'leading';
    this.recordSession();
    logger.info({ stream: settings.stream, epoch: lease.epoch }, 'leading');
    const timers = [
      setInterval(() => void this.renew(term), settings.leaseTtl / 3),
      setInterval(() => term.pipeline.dispatcher.handOverSlow(), HAND_OVER_CHECK),
    ];
    const working = term.worker.run();
    try {
      await term.reader.run();
    } finally {
      await this.close(term, working);
      for (const timer of timers) clearInterval(timer);
      this.term = null;
    }
  }

  private async openTerm(lease: Lease): Promise<Term> {
    const { url, pool, clock, logger, settings, observers, configVersion } = this.deps;
    const { stream, maxEventSize, commitWindow, inlineBudget } = settings;
    const cursor = await loadCheckpoint(pool, stream, lease.epoch);
    const backlog = await takeOverPending(pool, stream);
    // Last of what may fail: it leaves a timer running.
    const upkeep = new Upkeep(pool, settings.retention, logger);
    await upkeep.start();

    const matcher = new Matcher(observers);
    const fence = { stream, epoch: lease.epoch, holder: this.holder, configVersion };
    const runner = new ActionRunner(observers, logger, { settings, once: new OnceStore(url, fence) });
    const progress = new Progress();
    const ledger = new Ledger(pool, progress, clock, logger, { fence, commitWindow, onStale: () => this.deposed(lease) });
    const listeners: EventListener[] = [...this.deps.listeners, () => this.progressed()];
    const pipeline = new EventPipelineService(matcher, progress, ledger, clock, logger, listeners, (onFinished) => {
      return new Dispatcher(runner, ledger, clock, lease, inlineBudget, backlog, onFinished);
    });
    const older = new OlderConfigurations(pool, runner, this.deps.observersOf);
    const worker = new DeliveryWorker(pool, matcher, older, pipeline.dispatcher, ledger, lease, clock, logger, {
      stream,
      holder: this.holder,
      maxEventSize,
    });
    const readerOptions = {
      url,
      maxInFlight: settings.maxInFlight,
      maxEventSize,
      pollInterval: settings.pollInterval,
      onRead: () => this.alive(),
    };
    const reader = new ChangeLogReader(cursor, pipeline, progress, this.listen as ListenConnection, lease, readerOptions);
    return { lease, progress, ledger, pipeline, reader, worker, upkeep, runner };
  }

  /** The one ordered list of how a term ends. After another instance has taken over nothing is written any more. */
  private async close(term: Term, working: Promise<void>): Promise<void> {
    const { pipeline, ledger, lease, runner, upkeep, worker } = term;
    worker.stop();
    await working;
    await upkeep.stop();
    if (!lease.lost) {
      const { shutdownTimeout, inlineBudget } = this.deps.settings;
      pipeline.dispatcher.handOverWaiting();
      await within(pipeline.dispatcher.whenIdle(), this.stopping ? shutdownTimeout : inlineBudget);
      // What still runs is cut off, and recorded as to be tried again.
      await runner.close();
      await pipeline.dispatcher.whenIdle();
      await this.drain(ledger, lease);
      await lease.release().catch(() => undefined);
    } else await runner.close();
    ledger.abandon();
  }

  /** Outcomes that have happened wait for the database as long as this process may; a stop does not wait for ever. */
  private async drain(ledger: Ledger, lease: Lease): Promise<void> {
    let drained = false;
    const draining = ledger.drain().then(() => (drained = true));
    do await within(draining, this.deps.settings.shutdownTimeout);
    while (!drained && !this.stopping && !lease.lost);
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wakeStandby = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** After a loss of the LISTEN session a stand-by would otherwise not know us by the new one until the next renewal. */
  private recordSession(): void {
    const pid = this.listen?.backendPid ?? null;
    if (this.term !== null && pid !== null && pid !== this.term.lease.backendPid) void this.renew(this.term);
  }

  private async renew(term: Term): Promise<void> {
    try {
      if (!(await term.lease.renew(this.listen?.backendPid ?? null))) this.deposed(term.lease);
      await this.beat();
    } catch (error) {
      this.deps.logger.warn({ err: messageOf(error) }, 'the lease could not be renewed; it runs out unless the database comes back');
    }
  }

  private deposed(lease: Lease): void {
    lease.refuse();
    this.deps.logger.warn({ epoch: lease.epoch }, 'another instance has taken over; stepping down');
    this.term?.reader.stop();
  }

  private alive(): void {
    this.progressAt = this.deps.clock.monotonic();
  }

  private progressed(): void {
    this.alive();
    this.term?.reader.freed();
  }

  private async beat(): Promise<void> {
    const { pool, settings, version, address } = this.deps;
    const record = {
      id: this.holder,
      stream: settings.stream,
      host: hostname(),
      pid: process.pid,
      version,
      address: address(),
      inFlight: this.inFlight,
    };
    await heartbeat(pool, record);
  }
}

async function within(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([promise, new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)))]);
  clearTimeout(timer);
}
