import type { Pool } from 'pg';
import { readChanges } from '../change-log/change-log.sql';
import { decode } from '../change-log/decode';
import { claimQuarantineRetries, keepQuarantined, releaseQuarantined, type ReleasedDelivery } from '../delivery/quarantine.sql';
import type { Ledger } from '../delivery/ledger';
import { findRecorded } from '../delivery/ledger.sql';
import { laneOf } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';
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
      const endpoint = endpointNameOf(action);
      if (observer.mode === 'shadow') {
        if (unanswerable === null) this.pipeline.shadow.begin(delivery, null);
        else this.pipeline.shadow.recordUntried(delivery, 'condition', unanswerable, null);
      } else if (unanswerable === null) released.push({ observer: observer.name, action: action.name, endpoint, lane: laneOf(delivery) });
      else
        this.ledger.bury(
          deadLetter(delivery, endpoint, { error: 'condition', message: unanswerable, status: null, response: null, attempts: 0 }),
        );
    }
    return released;
  }
}
