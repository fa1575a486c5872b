import type { Pool } from 'pg';
import { readChanges } from '../change-log/changes-by-number.sql';
import { decode } from '../change-log/decode';
import { claimQuarantineRetries, keepQuarantined, releaseQuarantined, type ReleasedDelivery } from '../delivery/quarantine.sql';
import type { Ledger } from '../delivery/ledger';
import { findRecorded } from '../delivery/ledger.sql';
import type { Timing } from '../event/definitions';
import { laneOf, type Delivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';
import { messageOf } from '../event/errors';
import { SIDE_PAGE_BYTES } from '../event/image-budget';
import type { TermContext } from '../event/term-context';
import type { MatchResult } from '../matching/matcher';
import type { EventPipeline } from '../pipeline/event-pipeline';
import { deadLetter } from '../pipeline/recorder';

/** Lets changes out of quarantine that can be read by now. Called by the worker between its claims. */
export class QuarantineRelease {
  private readonly term: TermContext;
  private readonly ledger: Ledger;

  /** @param maxEventSize bytes */
  constructor(
    private readonly pool: Pool,
    private readonly pipeline: EventPipeline,
    private readonly maxEventSize: number,
  ) {
    this.term = pipeline.term;
    this.ledger = pipeline.ledger;
  }

  /** Changes that a person asked to look at again: events now, or still what they were. */
  async round(): Promise<number> {
    const { maxEventSize } = this;
    const changes = await claimQuarantineRetries(this.pool, this.term.stream);
    if (changes.length === 0) return 0;
    for await (const row of readChanges(this.pool, changes, { bytes: SIDE_PAGE_BYTES, eventBytes: maxEventSize })) {
      const decoded = decode(row, maxEventSize);
      if (decoded.is === 'quarantined') await keepQuarantined(this.pool, decoded.changeNumber, decoded, this.term.holder);
      else if (decoded.is === 'ignored') await releaseQuarantined(this.pool, decoded.changeNumber, [], this.pipeline.current.version);
      else await this.release(decoded.event);
    }
    return changes.length;
  }

  private async release(event: EntityEvent): Promise<void> {
    const { matcher, version } = this.pipeline.current;
    const unanswered = this.pipeline.scheduler.cancel(event, matcher, version);
    if (unanswered.length > 0) {
      const why = { reason: 'cancel_when', message: unanswered.join('\n') };
      return keepQuarantined(this.pool, event.changeNumber, why, this.term.holder);
    }
    const released: ReleasedDelivery[] = [];
    for (const result of matcher.match(event, this.term.clock.now()))
      if (result.matched !== false) released.push(...this.released(event, result, version));
    // Before the change leaves quarantine, or a crash would lose them.
    await this.ledger.settle();
    // Where one delivery could not be recorded, the others of its change went on.
    const recorded = await findRecorded(this.pool, [event.changeNumber]);
    const left = released.filter((one) => !recorded.some(({ observer, action }) => observer === one.observer && action === one.action));
    if (!this.term.mandate.lost) await releaseQuarantined(this.pool, event.changeNumber, left, version);
  }

  /** @returns what is to be delivered; what is not has its record already */
  private released(event: EntityEvent, result: Exclude<MatchResult, { matched: false }>, configVersion: number): ReleasedDelivery[] {
    const { observer } = result;
    const unanswerable = result.matched === null ? `the condition has no answer: ${result.error}` : null;
    const released: ReleasedDelivery[] = [];
    for (const action of observer.actions) {
      const delivery = { event, observer, action, attempt: 1, configVersion };
      if (observer.mode === 'shadow') {
        if (unanswerable === null) this.pipeline.shadow.begin(delivery, null);
        else this.pipeline.shadow.recordUntried(delivery, 'condition', unanswerable, null);
      } else if (unanswerable !== null) this.bury(delivery, 'condition', unanswerable);
      else if (observer.timing !== undefined) this.putOff(delivery, observer.timing);
      else released.push({ observer: observer.name, action: action.name, endpoint: endpointNameOf(action), lane: laneOf(delivery) });
    }
    return released;
  }

  /** By itself: it is not the last change of its key, and takes no other's place. */
  private putOff(delivery: Delivery, timing: Timing): void {
    try {
      this.pipeline.scheduler.putOff(delivery, timing, 'alone');
    } catch (error) {
      this.bury(delivery, 'template', messageOf(error));
    }
  }

  private bury(delivery: Delivery, error: 'condition' | 'template', message: string): void {
    const endpoint = endpointNameOf(delivery.action);
    this.ledger.bury(deadLetter(delivery, endpoint, { error, message, status: null, response: null, attempts: 0 }));
  }
}
