import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Settings } from '../config/settings';
import type { Clock } from '../event/clock';
import type { ObserverDefinition } from '../event/definitions';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import type { ServiceLogger } from '../event/service-logger';
import type { Timers } from '../event/timers';
import { Pause } from '../event/timing';
import type { ListenConnection } from '../listener/listen-connection';
import type { StreamConfiguration } from '../pipeline/configuration';
import type { PipelineSubscriber } from '../pipeline/pipeline-events';
import type { BreakerState } from '../resilience/endpoint-state';
import type { RedisClients } from '../connections/redis/redis-clients';
import type { CaptureWatch } from './capture-watch';
import type { Heartbeat } from './heartbeat';
import type { Lease, Leases } from './lease';
import type { Doors, Term, Terms } from './term';

const STANDBY_POLL = 1_000;
const FIRST_RETRY = 50;
const LONGEST_RETRY = 1_000;
/** Neither a page read nor an event finished for so long, in milliseconds, or no outcome recorded: the reader is stuck, or the ledger. */
const STUCK_AFTER = 30_000;

/** What this instance is doing about a stream. */
export type StreamState = 'starting' | 'standing by' | 'leading' | 'stopped';

export interface LeadershipParts {
  readonly terms: Terms;
  readonly leases: Leases;
  readonly doors: Doors;
  readonly heartbeat: Heartbeat;
  readonly captureWatch: CaptureWatch;
  readonly redis: RedisClients;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly logger: ServiceLogger;
}

/** A name for one process: two of one machine, or one after the other, never have the same. */
export function newHolder(): string {
  return `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`;
}

interface Rest {
  readonly work: () => Promise<void>;
  readonly refuse: (error: Error) => void;
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
  private term: Term | null = null;
  private readonly listen: ListenConnection;
  private running: Promise<void> | null = null;
  private stopping = false;
  private readonly pausing = new Pause();
  /** What is to be done between two terms; each tells by itself what became of it. */
  private readonly rests: Rest[] = [];
  private fatal: (error: unknown) => void = () => undefined;

  constructor(
    readonly stream: string,
    private readonly settings: Settings,
    private configuration: StreamConfiguration,
    private readonly parts: LeadershipParts,
  ) {
    this.holder = parts.heartbeat.holder;
    this.progressAt = parts.clock.monotonic();
    this.listen = parts.doors.readers.listen(() => this.wake());
  }

  /** Milliseconds without progress after which something is wrong: an idle stream may look by itself only once a minute. */
  get stuckAfter(): number {
    return STUCK_AFTER + this.settings.pollInterval;
  }

  /** Leads or stands by, and makes progress: it reads, and what happened is put on record. */
  get healthy(): boolean {
    const silent = this.parts.clock.monotonic() - this.progressAt;
    const progresses = silent < this.stuckAfter && this.ledgerSilence < STUCK_AFTER;
    return this.state === 'standing by' || (this.state === 'leading' && progresses);
  }

  /** Milliseconds for which outcomes have waited to be put on record; a few where all is well. */
  get ledgerSilence(): number {
    return this.term?.pipeline.ledger.silence(this.parts.clock.monotonic()) ?? 0;
  }

  /** The leading instance's, of all endpoints that have one. */
  breakers(): readonly BreakerState[] {
    return this.term?.pipeline.breakers() ?? [];
  }

  /** That it goes by, or would when it leads. */
  get observers(): readonly ObserverDefinition[] {
    return this.configuration.observers;
  }

  get leads(): boolean {
    return this.term !== null;
  }

  /** Closes a breaker. @returns what it was; only the leading instance has any */
  resetBreaker(endpoint: string): BreakerState['state'] | 'no breaker' | 'not leading' {
    return this.term === null ? 'not leading' : (this.term.pipeline.resetBreaker(endpoint) ?? 'no breaker');
  }

  /** Looks whether the tables are captured, while this instance leads. */
  get captureWatch(): CaptureWatch {
    return this.parts.captureWatch;
  }

  get inFlight(): number {
    return this.term?.pipeline.inFlight ?? 0;
  }

  /** @param onFatal called when leading is impossible until a person acts: a checkpoint of another cluster, say. */
  async start(onFatal: (error: unknown) => void): Promise<void> {
    this.fatal = onFatal;
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
    this.parts.captureWatch.use(next.captures);
    if (change === undefined) return 'when it leads';
    try {
      await change();
      return 'now';
    } catch (error) {
      this.parts.logger.warn({ err: messageOf(error) }, 'the stream begins anew with the new configuration');
      return 'when it leads';
    }
  }

  /**
   * Lets the stream rest while something is done that no term bears. Deliveries under way are handed over as at a lost connection, and the next
   * term takes up where the stream stands then. Another instance may be quicker to lead: the work has to fence itself.
   */
  resting<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, refuse) => {
      if (this.stopping) return refuse(new OperatorError('the service stops', 'Ask again when it runs.', ExitCode.connection));
      this.rests.push({ work: () => work().then(resolve, refuse), refuse });
      this.term?.stop();
      this.pausing.wake();
    });
  }

  /** Stops reading, lets what runs end within `shutdownTimeout`, records the rest as pending, commits, releases the lease. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.term?.stop();
    this.pausing.wake();
    await this.running;
    for (const { refuse } of this.rests.splice(0))
      refuse(new OperatorError('the service stops', 'Ask again when it runs.', ExitCode.connection));
    await this.parts.heartbeat.end();
    await this.listen.close();
    this.state = 'stopped';
  }

  private async loop(): Promise<void> {
    let wait = FIRST_RETRY;
    while (!this.stopping) {
      try {
        for (const { work } of this.rests.splice(0)) await work();
        const lease = await this.acquire();
        if (lease === null) await this.standBy();
        else await this.lead(lease);
        wait = FIRST_RETRY;
      } catch (error) {
        if (error instanceof OperatorError && error.exitCode === ExitCode.configuration) return this.fatal(error);
        this.state = 'starting';
        this.parts.logger.warn({ err: messageOf(error) }, 'the stream cannot be read; starting over from the checkpoint');
        await this.pausing.for(wait);
        wait = Math.min(wait * 2, LONGEST_RETRY);
      }
    }
  }

  private async acquire(): Promise<Lease | null> {
    await this.beat();
    return this.parts.leases.acquire(this.stream, this.holder, this.listen.backendPid, this.settings.leaseTtl);
  }

  private async standBy(): Promise<void> {
    const { logger, clock } = this.parts;
    if (this.state !== 'standing by') logger.info({ stream: this.stream }, 'another instance leads; standing by');
    this.state = 'standing by';
    this.progressAt = clock.monotonic();
    await this.pausing.for(STANDBY_POLL);
  }

  private async lead(lease: Lease): Promise<void> {
    const { logger, clock, terms, timers, captureWatch } = this.parts;
    const { configuration, stream, holder, listen } = this;
    const context = { stream, holder, epoch: lease.epoch, mandate: lease, clock, logger };
    const term = await terms.open(lease, context, configuration, { listen, captureWatch, subscriber: this.subscriberOf(lease) });
    this.term = term;
    // A stop may have come while the term was opened, when there was no reader to tell.
    if (this.stopping || this.rests.length > 0) term.stop();
    // And a reload.
    if (this.configuration !== configuration) this.reconfigure(this.configuration).catch(this.fatal);
    this.state = 'leading';
    this.terms++;
    this.recordSession();
    logger.info({ stream, epoch: lease.epoch }, 'leading');
    const renewal = setInterval(() => void this.renew(term), this.settings.leaseTtl / 3);
    const endBeats = timers.every(`heartbeat ${stream}`, this.settings.leaseTtl / 3, () => this.beat().catch(() => undefined));
    void this.beat().catch(() => undefined);
    try {
      await term.run(() => this.stopping);
    } finally {
      clearInterval(renewal);
      await endBeats();
      this.term = null;
    }
  }

  /** What this instance wants to know of its term. */
  private subscriberOf(lease: Lease): PipelineSubscriber {
    const alive = (): void => void (this.progressAt = this.parts.clock.monotonic());
    // Whoever looks at the status need not wait for the next beat.
    const breaker = (): void => void this.beat().catch(() => undefined);
    return { read: alive, event: alive, breaker, deposed: () => this.deposed(lease) };
  }

  private wake(): void {
    this.term?.wake();
    this.pausing.wake();
    this.recordSession();
  }

  /** After a loss of the LISTEN session a stand-by would otherwise not know us by the new one until the next renewal. */
  private recordSession(): void {
    const pid = this.listen.backendPid;
    if (this.term !== null && pid !== null && pid !== this.term.lease.backendPid) void this.renew(this.term);
  }

  private async renew({ lease }: Term): Promise<void> {
    try {
      if (!(await lease.renew(this.listen.backendPid))) this.deposed(lease);
    } catch (error) {
      this.parts.logger.warn({ err: messageOf(error) }, 'the lease could not be renewed; it runs out unless the database comes back');
    }
  }

  private deposed(lease: Lease): void {
    lease.refuse();
    this.parts.logger.warn({ epoch: lease.epoch }, 'another instance has taken over; stepping down');
    this.term?.stop();
  }

  /** Says what is going on, at once. */
  async beat(): Promise<void> {
    const { heartbeat, captureWatch, redis } = this.parts;
    const endpoints = this.term?.pipeline.troubledEndpoints() ?? [];
    const captureDrift = this.term === null ? null : captureWatch.drift;
    await heartbeat.beat({ inFlight: this.inFlight, endpoints, captureDrift, redis: redis.states, session: this.listen.backendPid });
  }
}
