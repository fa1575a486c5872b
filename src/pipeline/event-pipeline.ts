import type { Logger } from 'pino';
import type { Cursor } from '../checkpoint/cursor';
import type { Ledger } from '../delivery/ledger';
import { describeCause, hopsOf } from '../event/cause';
import type { Clock } from '../event/clock';
import type { Delivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';
import type { CurrentConfiguration } from './configuration';
import type { Dispatcher } from './dispatcher';
import type { EventRun } from './event-run';
import type { Runs } from './runs';
import { deadLetter } from './recorder';
import type { Shadow } from './shadow';

/** Whether something is on record of a delivery already; only after a restart there may be. */
export type IsRecorded = (changeNumber: number, observer: string, action: string) => boolean;

export interface EventPipelineOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** So many deliveries may have brought about a change, one after the other, before it counts as a loop. */
  readonly maxHops: number;
}

/**
 * The story of one event: match → a delivery for each action of each observer that matched → outcomes → checkpoint.
 * One instance per term of leadership: what it holds in memory is worth nothing after the epoch has passed.
 */
export class EventPipeline {
  constructor(
    private readonly configuration: CurrentConfiguration,
    private readonly runs: Runs,
    private readonly ledger: Ledger,
    readonly dispatcher: Dispatcher,
    readonly shadow: Shadow,
    private readonly options: EventPipelineOptions,
  ) {}

  /** Begins an event and returns; its deliveries go on by themselves. `cursor` is where the stream stands behind it. */
  process(event: EntityEvent, cursor: Cursor, isRecorded: IsRecorded): void {
    const { matcher, version: configVersion } = this.configuration;
    const { clock, maxHops } = this.options;
    // Held open while deliveries begin: the first may end before the second has begun.
    const run = this.runs.begin(event, cursor, matcher.match(event, clock.now()), clock.monotonic());
    const tooManyHops = hopsOf(event.cause) >= maxHops;
    for (const result of run.results) {
      if (result.matched === false) continue;
      for (const action of result.observer.actions) {
        if (isRecorded(event.changeNumber, result.observer.name, action.name)) continue;
        const delivery: Delivery = { event, observer: result.observer, action, attempt: 1, configVersion };
        if (result.matched === null) this.refuseUntried(delivery, 'condition', `the condition has no answer: ${result.error}`, run);
        else if (tooManyHops) this.refuseUntried(delivery, 'loop', loopMessage(event, maxHops), run);
        else if (result.observer.mode === 'shadow') this.shadow.begin(delivery, run);
        else this.dispatcher.dispatch(delivery, run);
      }
    }
    this.runs.leave(run);
  }

  /** A change that is no event: recorded, never guessed, and it blocks nothing. */
  quarantine(changeNumber: number, reason: string, message: string, cursor: Cursor): void {
    this.options.logger.warn({ change: changeNumber, reason }, `quarantined: ${message}`);
    this.ledger.quarantine({ changeNumber, reason, message });
    this.runs.pass(cursor);
  }

  /** A place in the stream with nothing to do. */
  pass(cursor: Cursor): void {
    this.runs.pass(cursor);
  }

  /** What is not even tried goes where a person looks: a condition without an answer never counts as false. */
  private refuseUntried(delivery: Delivery, error: 'condition' | 'loop', message: string, run: EventRun): void {
    if (delivery.observer.mode === 'shadow') return this.shadow.recordUntried(delivery, error, message, run);
    const endpoint = endpointNameOf(delivery.action);
    this.ledger.bury(deadLetter(delivery, endpoint, { error, message, status: null, response: null, attempts: 0 }));
    run.outcomes.push(`${delivery.observer.name}/${delivery.action.name} dead ${error}`);
  }
}

function loopMessage({ cause }: EntityEvent, maxHops: number): string {
  return `the change was brought about by ${maxHops} deliveries, one after the other (OBSERVERS_MAX_HOPS): ${describeCause(cause ?? '')}`;
}
