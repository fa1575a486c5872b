import type { Pool } from 'pg';
import { readSomeChanges } from '../change-log/changes-by-number.sql';
import { PageSize } from '../change-log/page-size';
import { readDecidingVersions } from '../checkpoint/config-period.sql';
import { decode } from '../change-log/decode';
import type { Ledger } from '../delivery/ledger';
import { promoteHeads } from '../delivery/strict-lanes.sql';
import { deliveryId } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import type { TermContext } from '../event/term-context';
import { IMAGE_BUDGET } from '../event/image-budget';
import { Interludes } from '../event/interludes';
import type { ClaimedDelivery, JobQueue } from '../jobs/job-queue';
import type { CurrentConfiguration } from '../pipeline/configuration';
import type { Dispatcher } from '../pipeline/dispatcher';
import type { EventPipeline } from '../pipeline/event-pipeline';
import { deadLetter } from '../pipeline/recorder';
import { BreakerResets } from './breaker-resets';
import { Claims, NOTHING_CLAIMED } from './claims';
import type { OlderConfigurations } from './older-configurations';
import { Pauser } from './pauser';
import { QuarantineRelease } from './quarantine-release';
import { ScheduledDeliveries } from './scheduled-deliveries';

/** It waited when the observer went into shadow, or a person asked for it: it is neither sent nor lost. */
const IN_SHADOW = 'the observer is in shadow (mode: shadow), and sends nothing; once it is live, a redrive sends this';
/** With nothing due the table is asked this often, in milliseconds: a redrive comes from another process. */
const IDLE_PAUSE = 200;
const BUSY_PAUSE = 5;
/** Strict lanes that are given a new head in one round. */
const PROMOTED = 500;

/** Fetches due deliveries from PostgreSQL (retries, what was handed over, redrives) as endpoints have places for them. */
export class JobWorker {
  private stopping = false;
  private readonly term: TermContext;
  private readonly current: CurrentConfiguration;
  private readonly dispatcher: Dispatcher;
  private readonly ledger: Ledger;
  private readonly pauser: Pauser;
  private readonly breakerResets: BreakerResets;
  private readonly scheduled: ScheduledDeliveries;
  private readonly claims: Claims;
  private readonly quarantine: QuarantineRelease;
  private readonly interludes: Interludes<void>;
  private readonly pageSize = new PageSize();
  /** Not begun yet: their changes could not be read so far. */
  private claimed = NOTHING_CLAIMED;
  /** Of those that the configuration that runs leaves: what they were meant to be is in the version that decided their change. */
  private decidedBy: ReadonlyMap<number, number> = new Map();

  /** @param maxEventSize bytes */
  constructor(
    private readonly pool: Pool,
    jobs: JobQueue,
    private readonly pipeline: EventPipeline,
    private readonly older: OlderConfigurations,
    private readonly maxEventSize: number,
  ) {
    this.term = pipeline.term;
    this.current = pipeline.current;
    this.dispatcher = pipeline.dispatcher;
    this.ledger = pipeline.ledger;
    this.interludes = new Interludes(this.dispatcher.worker);
    this.scheduled = new ScheduledDeliveries(jobs, pipeline);
    this.claims = new Claims(jobs, pipeline);
    this.pauser = new Pauser(pool, pipeline);
    this.breakerResets = new BreakerResets(pool, pipeline);
    this.quarantine = new QuarantineRelease(pool, pipeline, maxEventSize);
  }

  /** Runs until stop() or until the lease is lost. */
  async run(): Promise<void> {
    while (!this.stopping) {
      let claimed = 0;
      try {
        if (this.term.mandate.valid) claimed = await this.round();
      } catch (error) {
        this.term.logger.warn({ err: error }, 'due deliveries could not be fetched; trying again');
      }
      if (this.hasBegunAll) await this.interludes.run();
      if (!this.stopping) await this.pause(claimed > 0 || this.dispatcher.strictLanes.hasFreed ? BUSY_PAUSE : IDLE_PAUSE);
    }
    this.interludes.end();
  }

  /** What is claimed and not begun stands at endpoints of the configuration that runs: another one has to wait. */
  private get hasBegunAll(): boolean {
    return this.claimed.deliveries.length === 0;
  }

  /** Does something between two rounds, when nothing is being claimed. @throws what it throws, or LoopEndedError */
  between<T>(work: () => Promise<T>): Promise<T> {
    return this.interludes.do(work);
  }

  stop(): void {
    this.stopping = true;
    this.dispatcher.worker.wake();
  }

  private async round(): Promise<number> {
    // When their changes could not be read the last time, or had no room, these come first.
    if (this.hasBegunAll) {
      await this.claims.sweep();
      await this.pauser.look();
      await this.breakerResets.look();
      await this.scheduled.look();
      await this.promote();
      this.claimed = await this.claims.claim();
    }
    const { length } = this.claimed.deliveries;
    if (length > 0) await this.takeUp();
    if (!this.hasBegunAll) return length - this.claimed.deliveries.length;
    await this.claims.reopen(this.claimed.exhausted);
    this.claimed = NOTHING_CLAIMED;
    return length > 0 ? length : this.quarantine.round();
  }

  /** Begins what was claimed, the earliest changes first, as far as there is room in memory for their images. */
  private async takeUp(): Promise<void> {
    const { maxEventSize, claimed, dispatcher } = this;
    const room = IMAGE_BUDGET - dispatcher.bytes;
    if (room <= 0) return;
    const numbers = [...new Set(claimed.deliveries.map(({ changeNumber }) => changeNumber))];
    const { rows, rest } = await readSomeChanges(this.pool, numbers, { bytes: room, eventBytes: maxEventSize }, this.pageSize);
    await this.older.load(new Set(claimed.deliveries.flatMap(({ configVersion }) => configVersion ?? [])));
    const left = claimed.deliveries.filter((claim) => this.isLeft(claim)).map(({ changeNumber }) => changeNumber);
    this.decidedBy = await readDecidingVersions(this.pool, this.term.stream, left);
    const events = new Map<number, EntityEvent>();
    for (const row of rows) {
      const decoded = decode(row, maxEventSize);
      if (decoded.is === 'event') events.set(decoded.event.changeNumber, decoded.event);
    }
    const later = new Set(rest);
    this.claimed = { ...claimed, deliveries: claimed.deliveries.filter(({ changeNumber }) => later.has(changeNumber)) };
    for (const claim of claimed.deliveries) {
      if (!later.has(claim.changeNumber)) this.begin(claim, events.get(claim.changeNumber), claimed.committed);
    }
  }

  /** Whether it has waited, and the configuration that runs makes nothing of it any more. */
  private isLeft({ observer, action, configVersion, redrive }: ClaimedDelivery): boolean {
    if (redrive || configVersion !== null) return false;
    return this.current.matcher.find(observer, action)?.observer.mode !== 'live';
  }

  private begin(claim: ClaimedDelivery, event: EntityEvent | undefined, committed: number): void {
    if (event === undefined) return this.drop(claim, 'its change is no longer in the change log, or can no longer be read');
    const configVersion = claim.configVersion ?? this.current.version;
    const loaded = claim.configVersion === null ? this.current : this.older.get(claim.configVersion);
    if ('problem' in loaded) {
      return this.giveUp(claim, event, `configuration version ${configVersion} can no longer be loaded: ${loaded.problem}`);
    }
    const { matcher } = loaded;
    const found = matcher.find(claim.observer, claim.action);
    if (found === null) {
      return this.giveUp(
        claim,
        event,
        `observer ${claim.observer} with action ${claim.action} is no longer configured (version ${configVersion})`,
      );
    }
    if (found.observer.mode === 'shadow') return this.giveUp(claim, event, IN_SHADOW);
    if (claim.diedOf === 'condition') {
      const verdict = matcher.judge(claim.observer, event, this.term.clock.now());
      if (verdict?.matched === null) return this.giveUp(claim, event, `the condition has no answer: ${verdict.error}`, 'condition');
      if (verdict?.matched === false) return this.resolve(claim, event);
    }
    const delivered = claim.collapsed === null ? event : { ...event, collapsed: claim.collapsed };
    this.dispatcher.resume({ event: delivered, ...found, attempt: claim.attempt, configVersion }, claim, committed);
  }

  /** The condition has an answer now, and it is no: nothing is to be delivered. */
  private resolve(claim: ClaimedDelivery, event: EntityEvent): void {
    this.end(claim);
    this.ledger.redriven({ ...claim, id: deliveryId(event.id, claim.observer, claim.action) });
  }

  private giveUp(
    claim: ClaimedDelivery,
    event: EntityEvent,
    message: string,
    error: 'configuration' | 'condition' = 'configuration',
  ): void {
    const configVersion =
      claim.configVersion ?? (this.isLeft(claim) ? this.decidedBy.get(claim.changeNumber) : undefined) ?? this.current.version;
    this.end(claim);
    this.ledger.bury(
      deadLetter({ event, configVersion, observer: { name: claim.observer }, action: { name: claim.action } }, claim.endpoint, {
        error,
        message,
        status: null,
        response: null,
        attempts: claim.attempt - 1,
      }),
    );
  }

  private drop(claim: ClaimedDelivery, message: string): void {
    this.term.logger.error(
      { change: claim.changeNumber, observer: claim.observer, action: claim.action },
      `a delivery was given up: ${message}`,
    );
    this.ledger.quarantine({
      changeNumber: claim.changeNumber,
      reason: 'unreadable',
      message: `${claim.observer}/${claim.action}: ${message}`,
    });
    this.end(claim);
  }

  private end(claim: ClaimedDelivery): void {
    this.ledger.end(claim);
    this.dispatcher.strictLanes.headLeft(claim.lane, this.ledger.gathering);
  }

  /** Strict lanes whose head has left get the next one. */
  private async promote(): Promise<void> {
    const { dispatcher } = this;
    const { strictLanes, gates } = dispatcher;
    const { stream } = this.term;
    const { pauses } = this.pipeline.parts.record;
    const { committed } = this.ledger;
    const lanes = strictLanes.takeFreed(committed, PROMOTED, (lane) => dispatcher.isInMemory(lane));
    if (lanes.length === 0) return;
    for (const { lane, endpoint, promoted } of await promoteHeads(this.pool, stream, lanes, pauses.all)) {
      if (endpoint === null) strictLanes.open(lane, committed);
      else if (promoted) gates.queued(endpoint);
    }
  }

  private pause(milliseconds: number): Promise<void> {
    if (this.interludes.pending && this.hasBegunAll) return Promise.resolve();
    return this.dispatcher.worker.for(milliseconds);
  }
}
