import type { Ledger } from '../delivery/ledger';
import type { Clock } from '../event/clock';
import type { Timing } from '../event/definitions';
import { laneOf, partyOf, type Delivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';
import type { Pause } from '../event/timing';
import { dueOf } from '../matching/due';
import type { Matcher } from '../matching/matcher';
import type { Settings } from '../config/settings';
import { keyOf } from './recorder';

/**
 * Deliveries that wait for their time. They stand in PostgreSQL from the first, each with its date. A later change may replace or cancel what
 * waits; so what is due goes when the reader has passed all that was committed by then.
 */
export class Scheduler {
  /** When the last window was opened of which all is read, in monotonic time, and the ledger's group in which all is that came of it. */
  private read = { openedAt: -Infinity, group: 0 };
  /** Whether somebody asks `hasPassed` again and again. */
  private awaited = false;

  /** @param worker woken when a window has been read that it waits for */
  constructor(
    private readonly ledger: Ledger,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly worker: Pause,
    private readonly fairness: Settings['fairness'],
  ) {}

  /**
   * @param how `alone`: it takes the place of no other, and none takes its own
   * @throws TemplateRenderError when the event does not say when it goes
   */
  putOff(delivery: Delivery, timing: Timing, how: 'collapsing' | 'alone' = 'collapsing'): void {
    const { event, observer, action, configVersion } = delivery;
    const { at, debounce } = dueOf(event, timing, observer);
    this.ledger.scheduleFor({
      ...keyOf(delivery),
      endpoint: endpointNameOf(action),
      lane: laneOf(delivery),
      party: partyOf(delivery, this.fairness),
      due: at,
      debounceKey: how === 'alone' ? null : (debounce?.key ?? null),
      since: debounce?.since ?? null,
      maxWait: debounce?.maxWait ?? null,
      collapsed: debounce === null ? null : 1,
      configVersion,
    });
  }

  /** Cancels what the event says is not wanted any more. @returns conditions that have no answer, one line each */
  cancel(event: EntityEvent, matcher: Matcher, configVersion: number): string[] {
    const unanswered: string[] = [];
    for (const result of matcher.cancelling(event, this.clock.now())) {
      const { observer } = result;
      if (result.matched === null)
        unanswered.push(`${observer.name}: cancel_when has no answer, and nothing was cancelled: ${result.error}`);
      else if (result.matched) this.cancelFor({ event, observer, configVersion });
    }
    return unanswered;
  }

  /** A window of the change log has been read to its end. @param openedAt monotonic time before it was opened */
  windowRead(openedAt: number): void {
    this.read = { openedAt, group: this.ledger.newest };
    if (this.awaited) this.worker.wake();
  }

  /** Whether all that was committed at a moment is read, and what came of it is on record. @param moment monotonic time */
  hasPassed(moment: number): boolean {
    const passed = this.read.openedAt > moment && this.ledger.committed >= this.read.group;
    this.awaited = !passed;
    return passed;
  }

  private cancelFor({ event, observer, configVersion }: Pick<Delivery, 'event' | 'observer' | 'configVersion'>): void {
    for (const action of observer.actions) {
      const lane = laneOf({ event, observer, action });
      this.ledger.cancel({ changeNumber: event.changeNumber, observer: observer.name, action: action.name, lane, configVersion });
    }
  }
}
