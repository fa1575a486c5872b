import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { deliveryId, laneOf } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';

import type { Ledger } from '../delivery/ledger';
import type { Pauses } from '../delivery/pauses';
import type { ClaimedDelivery } from '../jobs/postgres-job-queue.sql';
import { claimQuarantineRetries, keepQuarantined, releaseQuarantined, type ReleasedDelivery } from '../delivery/quarantine.sql';
import { promoteHeads } from '../delivery/strict-lanes.sql';
import type { Clock } from '../event/clock';
import { Interludes } from '../event/interludes';
import type { Pause } from '../event/timing';
import type { Mandate } from '../event/mandate';
import { readChanges } from '../change-log/change-log.sql';
import { decode } from '../change-log/decode';
import type { MatchResult } from '../matching/matcher';
import type { CurrentConfiguration } from '../pipeline/configuration';
import type { Dispatcher } from '../pipeline/dispatcher';
import type { EventPipeline } from '../pipeline/event-pipeline';
import { deadLetter } from '../pipeline/recorder';
import type { Shadow } from '../pipeline/shadow';
import { Claims, NOTHING_CLAIMED, type ClaimOptions } from './claims';
import type { OlderConfigurations } from './older-configurations';
import { Pauser } from './pauser';

/** It waited when the observer went into shadow, or a person asked for it: it is neither sent nor lost. */
const IN_SHADOW = 'the observer is in shadow (mode: shadow), and sends nothing; once it is live, a redrive sends this';
/** With nothing due the table is asked this often, in milliseconds: a redrive comes from another process. */
const IDLE_PAUSE = 200;
const BUSY_PAUSE = 5;
/** Strict lanes that are given a new head in one round. */
const PROMOTED = 500;

export interface DeliveryWorkerOptions extends ClaimOptions {
  /** In which it waits for something to do; others wake it. */
  readonly pause: Pause;
  readonly maxEventSize: number;
}

/** Fetches due deliveries from PostgreSQL (retries, what was handed over, redrives) as endpoints have places for them. */
export class DeliveryWorker {
  private stopping = false;
  private readonly dispatcher: Dispatcher;
  private readonly shadow: Shadow;
  private readonly pauser: Pauser;
  private readonly interludes: Interludes<void>;
  private readonly claims: Claims;
  /** Not begun yet: their changes could not be read so far. */
  private claimed = NOTHING_CLAIMED;

  constructor(
    private readonly pool: Pool,
    private readonly configuration: CurrentConfiguration,
    private readonly older: OlderConfigurations,
    { dispatcher, shadow }: Pick<EventPipeline, 'dispatcher' | 'shadow'>,
    private readonly pauses: Pauses,
    private readonly ledger: Ledger,
    private readonly mandate: Mandate,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly options: DeliveryWorkerOptions,
  ) {
    this.interludes = new Interludes(options.pause);
    this.dispatcher = dispatcher;
    this.shadow = shadow;
    this.claims = new Claims(pool, dispatcher, ledger, mandate, clock, logger, options);
    this.pauser = new Pauser(pool, options.stream, pauses, configuration, dispatcher, ledger, clock);
  }

  /** Runs until stop() or until the lease is lost. */
  async run(): Promise<void> {
    while (!this.stopping) {
      let claimed = 0;
      try {
        if (this.mandate.valid) claimed = await this.round();
      } catch (error) {
        this.logger.warn({ err: error }, 'due deliveries could not be fetched; trying again');
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
    this.options.pause.wake();
  }

  private async round(): Promise<number> {
    const { maxEventSize } = this.options;
    // When their changes could not be read the last time, these come first.
    if (this.claimed.deliveries.length === 0) {
      await this.claims.sweep();
      await this.pauser.look();
      await this.promote();
      this.claimed = await this.claims.claim();
    }
    const { deliveries, committed, exhausted } = this.claimed;
    if (deliveries.length > 0) {
      const rows = await readChanges(this.pool, [...new Set(deliveries.map(({ changeNumber }) => changeNumber))], maxEventSize);
      await this.older.load(new Set(deliveries.flatMap(({ configVersion }) => configVersion ?? [])));
      const events = new Map<number, EntityEvent>();
      for (const row of rows) {
        const decoded = decode(row, maxEventSize);
        if (decoded.is === 'event') events.set(decoded.event.changeNumber, decoded.event);
      }
      this.claimed = NOTHING_CLAIMED;
      for (const claim of deliveries) this.begin(claim, events.get(claim.changeNumber), committed);
    }
    await this.claims.reopen(exhausted);
    return deliveries.length > 0 ? deliveries.length : this.releaseQuarantined();
  }

  private begin(claim: ClaimedDelivery, event: EntityEvent | undefined, committed: number): void {
    if (event === undefined) return this.drop(claim, 'its change is no longer in the change log, or can no longer be read');
    const configVersion = claim.configVersion ?? this.configuration.version;
    const loaded = claim.configVersion === null ? this.configuration : this.older.get(claim.configVersion);
    if ('problem' in loaded) {
      return this.giveUp(claim, event, `configuration version ${configVersion} can no longer be loaded: ${loaded.problem}`);
    }
    const { matcher } = loaded;
    const found = matcher.find(claim.observer, claim.action);
    if (found === null) {
      return this.giveUp(claim, event, `observer ${claim.observer} with action ${claim.action} is no longer configured`);
    }
    if (found.observer.mode === 'shadow') return this.giveUp(claim, event, IN_SHADOW);
    if (claim.diedOf === 'condition') {
      const verdict = matcher.judge(claim.observer, event, this.clock.now());
      if (verdict?.matched === null) return this.giveUp(claim, event, `the condition has no answer: ${verdict.error}`, 'condition');
      if (verdict?.matched === false) return this.resolve(claim, event);
    }
    this.dispatcher.resume({ event, ...found, attempt: claim.attempt, configVersion }, claim, committed);
  }

  /** The condition has an answer now, and it is no: nothing is to be delivered. */
  private resolve(claim: ClaimedDelivery, event: EntityEvent): void {
    this.end(claim);
    this.ledger.redriven(deliveryId(event.id, claim.observer, claim.action));
  }

  private giveUp(
    claim: ClaimedDelivery,
    event: EntityEvent,
    message: string,
    error: 'configuration' | 'condition' = 'configuration',
  ): void {
    const configVersion = claim.configVersion ?? this.configuration.version;
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
    this.logger.error(
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

  /** Changes that a person asked to look at again: events now, or still what they were. */
  private async releaseQuarantined(): Promise<number> {
    const { stream, maxEventSize } = this.options;
    const changes = await claimQuarantineRetries(this.pool, stream);
    if (changes.length === 0) return 0;
    for (const row of await readChanges(this.pool, changes, maxEventSize)) {
      const decoded = decode(row, maxEventSize);
      if (decoded.is === 'quarantined') await keepQuarantined(this.pool, decoded.changeNumber, decoded.reason, decoded.message);
      else if (decoded.is === 'ignored') await releaseQuarantined(this.pool, decoded.changeNumber, [], this.configuration.version);
      else await this.release(decoded.event);
    }
    return changes.length;
  }

  private async release(event: EntityEvent): Promise<void> {
    const { matcher, version } = this.configuration;
    const released: ReleasedDelivery[] = [];
    for (const result of matcher.match(event, this.clock.now()))
      if (result.matched !== false) released.push(...this.released(event, result, version));
    // Before the change leaves quarantine, or a crash would lose them.
    await this.ledger.settle();
    if (!this.mandate.lost) await releaseQuarantined(this.pool, event.changeNumber, released, version);
  }

  /** @returns what is to be delivered; what is not has its record already */
  private released(event: EntityEvent, result: Exclude<MatchResult, { matched: false }>, configVersion: number): ReleasedDelivery[] {
    const { observer } = result;
    const unanswerable = result.matched === null ? `the condition has no answer: ${result.error}` : null;
    const released: ReleasedDelivery[] = [];
    for (const action of observer.actions) {
      const delivery = { event, observer, action, attempt: 1, configVersion };
      const endpoint = endpointNameOf(action);
      if (observer.mode === 'shadow') {
        if (unanswerable === null) this.shadow.begin(delivery, null);
        else this.shadow.recordUntried(delivery, 'condition', unanswerable, null);
      } else if (unanswerable === null) released.push({ observer: observer.name, action: action.name, endpoint, lane: laneOf(delivery) });
      else
        this.ledger.bury(
          deadLetter(delivery, endpoint, { error: 'condition', message: unanswerable, status: null, response: null, attempts: 0 }),
        );
    }
    return released;
  }

  /** Strict lanes whose head has left get the next one. */
  private async promote(): Promise<void> {
    const { dispatcher } = this;
    const { strictLanes, gates } = dispatcher;
    const { committed } = this.ledger;
    const lanes = strictLanes.takeFreed(committed, PROMOTED, (lane) => dispatcher.isInMemory(lane));
    if (lanes.length === 0) return;
    for (const { lane, endpoint, promoted } of await promoteHeads(this.pool, this.options.stream, lanes, this.pauses.all)) {
      if (endpoint === null) strictLanes.open(lane, committed);
      else if (promoted) gates.get(endpoint)?.queued();
    }
  }

  private pause(milliseconds: number): Promise<void> {
    if (this.interludes.pending && this.hasBegunAll) return Promise.resolve();
    return this.options.pause.for(milliseconds);
  }
}
