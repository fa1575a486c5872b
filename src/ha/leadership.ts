import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { Pause } from '../event/timing';
import type { BreakerState } from '../resilience/endpoint-state';
import { Lease } from './lease';
import { heartbeat, removeListener } from './lease.sql';
import { CaptureWatch } from './capture-watch';
import { ListenConnection } from '../listener/listen-connection';
import type { PipelineSubscriber } from '../pipeline/pipeline-events';
import { Term } from './term';
import type { StreamConfiguration, TermDependencies } from './term-parts';

const STANDBY_POLL = 1_000;
const FIRST_RETRY = 50;
const LONGEST_RETRY = 1_000;
/** Neither a page read nor an event finished for so long, in milliseconds: the reader is stuck. */
const STUCK_AFTER = 30_000;

/** What this instance is doing about its stream. */
export type StreamState = 'starting' | 'standing by' | 'leading' | 'stopped';

export interface StreamDependencies extends Pick<
  TermDependencies,
  | 'url'
  | 'pool'
  | 'clock'
  | 'logger'
  | 'settings'
  | 'configuration'
  | 'observersOf'
  | 'custom'
  | 'tracing'
  | 'dedup'
  | 'cache'
  | 'subscribers'
  | 'sideJobs'
> {
  readonly version: string;
  /** `host:port` of this instance's probes. */
  readonly address: () => string | null;
}

/**
 * Leads a stream, or stands by until it may.
 *
 *   starting → standing by ⇄ leading → stopped
 */
export class Leadership {
  readonly holder: string;
  state: StreamState = 'starting';
  /** Monotonic time of the last sign of progress: a page read, an event finished, or nothing to lead. */
  progressAt: number;
  /** How often this instance has begun to lead. */
  terms = 0;
  /** Looks whether the tables are captured, while this instance leads. */
  readonly captureWatch: CaptureWatch;
  private term: Term | null = null;
  private configuration: StreamConfiguration;
  private listen: ListenConnection | null = null;
  private running: Promise<void> | null = null;
  private stopping = false;
  /** Its row is taken back: it says nothing of itself any more. */
  private gone = false;
  private readonly beats = new Set<Promise<void>>();
  private readonly pausing = new Pause();
  private fatal: (error: unknown) => void = () => undefined;

  constructor(private readonly deps: StreamDependencies) {
    this.holder = `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`;
    this.progressAt = deps.clock.monotonic();
    this.configuration = deps.configuration;
    const { pool, clock, logger } = deps;
    const { captures } = deps.configuration;
    // Whoever looks at the status need not wait for the next beat.
    this.captureWatch = new CaptureWatch({ pool, clock, logger, captures, onChange: () => void this.beat().catch(() => undefined) });
  }

  /** Milliseconds without progress after which something is wrong: an idle stream may look by itself only once a minute. */
  get stuckAfter(): number {
    return STUCK_AFTER + this.deps.settings.pollInterval;
  }

  /** Leads or stands by, and makes progress. */
  get healthy(): boolean {
    const silent = this.deps.clock.monotonic() - this.progressAt;
    return this.state === 'standing by' || (this.state === 'leading' && silent < this.stuckAfter);
  }

  /** The leading instance's, of all endpoints that have one. */
  breakers(): readonly BreakerState[] {
    return this.term?.breakers() ?? [];
  }

  get leads(): boolean {
    return this.term !== null;
  }

  /** Closes a breaker. @returns what it was; only the leading instance has any */
  resetBreaker(endpoint: string): BreakerState['state'] | 'no breaker' | 'not leading' {
    return this.term === null ? 'not leading' : (this.term.resetBreaker(endpoint) ?? 'no breaker');
  }

  get inFlight(): number {
    return this.term?.inFlight ?? 0;
  }

  /** @param onFatal called when leading is impossible until a person acts: a checkpoint of another cluster, say. */
  async start(onFatal: (error: unknown) => void): Promise<void> {
    const { url, logger, settings } = this.deps;
    this.fatal = onFatal;
    this.listen = new ListenConnection(url, logger, settings.wakeup === 'notify', () => {
      this.term?.wake();
      this.pausing.wake();
      this.recordSession();
    });
    await this.listen.open();
    this.running = this.loop();
  }

  /**
   * Goes on by another configuration, without losing or repeating an event.
   *
   * @returns since when it holds: from the next page on, or when this instance leads
   * @throws what is wrong with it; then all is as it was
   */
  async reconfigure(next: StreamConfiguration): Promise<'now' | 'when it leads'> {
    const change = this.term?.prepare(next);
    this.configuration = next;
    this.captureWatch.use(next.captures);
    if (change === undefined) return 'when it leads';
    try {
      await change();
      return 'now';
    } catch (error) {
      this.deps.logger.warn({ err: messageOf(error) }, 'the stream begins anew with the new configuration');
      return 'when it leads';
    }
  }

  /** Stops reading, lets what runs end within `shutdownTimeout`, records the rest as pending, commits, releases the lease. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.term?.stop();
    this.pausing.wake();
    await this.running;
    // A beat that is under way would put the row back.
    this.gone = true;
    await Promise.allSettled(this.beats);
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
        await this.pausing.for(wait);
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
    await this.pausing.for(STANDBY_POLL);
  }

  private async lead(lease: Lease): Promise<void> {
    const { logger, settings } = this.deps;
    const { configuration } = this;
    const term = await Term.open(lease, {
      ...this.deps,
      configuration,
      holder: this.holder,
      listen: this.listen as ListenConnection,
      sideJobs: [...this.deps.sideJobs, (held) => this.captureWatch.begin(held)],
      subscribers: [...this.deps.subscribers, this.subscriber],
      onStale: () => this.deposed(lease),
    });
    this.term = term;
    // A stop may have come while the term was opened, when there was no reader to tell.
    if (this.stopping) term.stop();
    // And a reload.
    if (this.configuration !== configuration) this.reconfigure(this.configuration).catch(this.fatal);
    this.state = 'leading';
    this.terms++;
    this.recordSession();
    logger.info({ stream: settings.stream, epoch: lease.epoch }, 'leading');
    const renewal = setInterval(() => void this.renew(term), settings.leaseTtl / 3);
    try {
      await term.run(() => this.stopping);
    } finally {
      clearInterval(renewal);
      this.term = null;
    }
  }

  /** What this instance wants to know of its term. */
  private get subscriber(): PipelineSubscriber {
    const alive = (): void => this.alive();
    // Whoever looks at the status need not wait for the next beat.
    return { read: alive, event: alive, breaker: () => void this.beat().catch(() => undefined) };
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
    this.term?.stop();
  }

  private alive(): void {
    this.progressAt = this.deps.clock.monotonic();
  }

  private async beat(): Promise<void> {
    if (this.gone) return;
    const { pool, settings, version, address } = this.deps;
    const record = {
      id: this.holder,
      stream: settings.stream,
      host: hostname(),
      pid: process.pid,
      version,
      address: address(),
      inFlight: this.inFlight,
      endpoints: this.term?.troubledEndpoints() ?? [],
      captureDrift: this.term === null ? null : this.captureWatch.drift,
    };
    const beat = heartbeat(pool, record).finally(() => this.beats.delete(beat));
    this.beats.add(beat);
    await beat;
  }
}
