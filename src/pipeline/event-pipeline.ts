import type { Logger } from 'pino';
import type { Cursor } from '../checkpoint/cursor';
import type { Progress } from '../checkpoint/progress';
import type { Ledger } from '../delivery/ledger';
import { describeCause, hopsOf } from '../event/cause';
import type { Clock } from '../event/clock';
import type { Delivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';
import type { CurrentConfiguration } from './configuration';
import type { Dispatcher } from './dispatcher';
import type { EventRun } from './runs';
import type { PipelineListener } from './pipeline-events';
import { deadLetter } from './recorder';
import type { Shadow } from './shadow';

/** Whether something is on record of a delivery already; only after a restart there may be. */
export type IsRecorded = (changeNumber: number, observer: string, action: string) => boolean;

/**
 * The story of one event: match → a delivery for each action of each observer that matched → outcomes → checkpoint.
 * One instance per term of leadership: what it holds in memory is worth nothing after the epoch has passed.
 */
export class EventPipelineService {
  readonly dispatcher: Dispatcher;

  constructor(
    private readonly configuration: CurrentConfiguration,
    private readonly progress: Progress,
    private readonly ledger: Ledger,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly listener: Required<PipelineListener>,
    private readonly maxHops: number,
    readonly shadow: Shadow,
    createDispatcher: (onFinished: (run: EventRun) => void) => Dispatcher,
  ) {
    this.dispatcher = createDispatcher((run) => this.finished(run));
    shadow.onFinished = (run) => this.finished(run);
  }

  /** Begins an event and returns; its deliveries go on by themselves. `cursor` is where the stream stands behind it. */
  process(event: EntityEvent, cursor: Cursor, isRecorded: IsRecorded): void {
    const { matcher, version: configVersion } = this.configuration;
    const run: EventRun = {
      event,
      reading: this.progress.begin(cursor),
      results: matcher.match(event, this.clock.now()),
      readAt: this.clock.monotonic(),
      outcomes: [],
    };
    const tooManyHops = hopsOf(event.cause) >= this.maxHops;
    // Held open while deliveries begin: the first may end before the second has begun.
    run.reading.open++;
    for (const result of run.results) {
      if (result.matched === false) continue;
      for (const action of result.observer.actions) {
        if (isRecorded(event.changeNumber, result.observer.name, action.name)) continue;
        const delivery: Delivery = { event, observer: result.observer, action, attempt: 1, configVersion };
        if (result.matched === null) this.bury(delivery, 'condition', `the condition has no answer: ${result.error}`, run);
        else if (tooManyHops) this.bury(delivery, 'loop', loopMessage(event, this.maxHops), run);
        else if (result.observer.mode === 'shadow') this.shadow.begin(delivery, run);
        else this.dispatcher.dispatch(delivery, run);
      }
    }
    if (--run.reading.open === 0) this.finished(run);
  }

  /** A change that is no event: recorded, never guessed, and it blocks nothing. */
  quarantine(changeNumber: number, reason: string, message: string, cursor: Cursor): void {
    this.logger.warn({ change: changeNumber, reason }, `quarantined: ${message}`);
    this.ledger.quarantine({ changeNumber, reason, message });
    this.progress.pass(cursor);
  }

  /** A place in the stream with nothing to do. */
  pass(cursor: Cursor): void {
    this.progress.pass(cursor);
    this.ledger.moved();
  }

  private finished(run: EventRun): void {
    this.progress.finish(run.reading);
    this.ledger.moved();
    this.listener.event(run);
  }

  /** What is not even tried goes where a person looks: a condition without an answer never counts as false. */
  private bury(delivery: Delivery, error: 'condition' | 'loop', message: string, run: EventRun): void {
    if (delivery.observer.mode === 'shadow') return this.shadow.bury(delivery, error, message, run);
    const endpoint = endpointNameOf(delivery.action);
    this.ledger.bury(deadLetter(delivery, endpoint, { error, message, status: null, response: null, attempts: 0 }));
    run.outcomes.push(`${delivery.observer.name}/${delivery.action.name} dead ${error}`);
  }
}

function loopMessage({ cause }: EntityEvent, maxHops: number): string {
  return `the change was brought about by ${maxHops} deliveries, one after the other (OBSERVERS_MAX_HOPS): ${describeCause(cause ?? '')}`;
}
