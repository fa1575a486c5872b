import type { ActionRunner } from '../actions/action-runner';
import type { Cursor } from '../checkpoint/cursor';
import type { Ledger } from '../delivery/ledger';
import type { Pauses } from '../delivery/pauses';
import { describeCause, hopsOf } from '../event/cause';
import { counted } from '../event/counted';
import type { Delivery } from '../event/delivery';
import type { Timing } from '../event/definitions';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';
import { messageOf } from '../event/errors';
import type { TermContext } from '../event/term-context';
import { within } from '../event/timing';
import type { Gates } from '../resilience/endpoint-gates';
import type { BreakerState, EndpointState } from '../resilience/endpoint-state';
import { arrangementOf, type Arrangement } from '../jobs/arrangement';
import type { Inherited } from '../jobs/job-queue';
import type { Enrichment } from '../lookups/enrichment';
import { Matcher } from '../matching/matcher';
import type { CurrentConfiguration, StreamConfiguration } from './configuration';
import type { Dispatcher } from './dispatcher';
import type { PipelineEvents } from './pipeline-events';
import type { EventRun } from './event-run';
import type { Runs } from './runs';
import { deadLetter } from './recorder';
import type { Scheduler } from './scheduler';
import type { Shadow } from './shadow';

/** Where what waits stands after a change of configuration. */
type Arranged = Pick<Inherited, 'backlogged' | 'blocked'>;

/** Whether something is on record of a delivery already; only after a restart there may be. */
export type IsRecorded = (changeNumber: number, observer: string, action: string) => boolean;

export interface PipelineParts {
  /** Where the term goes on. */
  readonly cursor: Cursor;
  readonly current: CurrentConfiguration;
  readonly runner: ActionRunner;
  readonly enrichment: Enrichment;
  readonly runs: Runs;
  readonly record: { readonly ledger: Ledger; readonly pauses: Pauses };
  readonly dispatcher: Dispatcher;
  readonly shadow: Shadow;
  readonly scheduler: Scheduler;
}

/** Another configuration, made ready: what could be wrong with it has been found. */
export interface PreparedChange {
  readonly configuration: StreamConfiguration;
  readonly matcher: Matcher;
  readonly arrangement: Arrangement;
}

/**
 * The story of one event: match → a delivery for each action of each observer that matched → outcomes → checkpoint.
 * One instance per term of leadership: what it holds in memory is worth nothing after the epoch has passed.
 */
export class EventPipeline {
  readonly current: CurrentConfiguration;
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  readonly shadow: Shadow;
  readonly scheduler: Scheduler;
  private readonly runs: Runs;
  private readonly gates: Gates;

  /** @param maxHops so many deliveries may have brought about a change, one after the other, before it counts as a loop */
  constructor(
    readonly term: TermContext,
    readonly parts: PipelineParts,
    private readonly maxHops: number,
  ) {
    this.current = parts.current;
    this.ledger = parts.record.ledger;
    this.dispatcher = parts.dispatcher;
    this.shadow = parts.shadow;
    this.scheduler = parts.scheduler;
    this.runs = parts.runs;
    this.gates = parts.dispatcher.gates;
  }

  /** Events that are read and not finished. */
  get inFlight(): number {
    return this.runs.progress.inFlight;
  }

  breakers(): BreakerState[] {
    return this.gates.breakers(this.term.clock.monotonic());
  }

  /** Endpoints that are not simply working. */
  troubledEndpoints(): EndpointState[] {
    return this.gates.troubled(this.term.clock.monotonic());
  }

  /** @returns what the breaker was, or null when there is no such breaker */
  resetBreaker(endpoint: string): BreakerState['state'] | null {
    return this.gates.resetBreaker(endpoint);
  }

  get events(): PipelineEvents {
    return this.runs.events;
  }

  /** Begins an event and returns; its deliveries go on by themselves. `cursor` is where the stream stands behind it. */
  process(event: EntityEvent, cursor: Cursor, isRecorded: IsRecorded): void {
    const { matcher, version: configVersion } = this.current;
    const { maxHops } = this;
    const { clock } = this.term;
    // Held open while deliveries begin: the first may end before the second has begun.
    const run = this.runs.begin(event, cursor, matcher.match(event, clock.now()), clock.monotonic());
    const tooManyHops = hopsOf(event.cause) >= maxHops;
    for (const message of this.scheduler.cancel(event, matcher, configVersion)) this.unanswered(event, message);
    for (const result of run.results) {
      if (result.matched === false) continue;
      for (const action of result.observer.actions) {
        if (isRecorded(event.changeNumber, result.observer.name, action.name)) continue;
        const delivery: Delivery = { event, observer: result.observer, action, attempt: 1, configVersion };
        if (result.matched === null) this.refuseUntried(delivery, 'condition', `the condition has no answer: ${result.error}`, run);
        else if (tooManyHops) this.refuseUntried(delivery, 'loop', loopMessage(event, maxHops), run);
        else if (result.observer.mode === 'shadow') this.shadow.begin(delivery, run);
        else if (result.observer.timing !== undefined) this.putOff(delivery, result.observer.timing, run);
        else this.dispatcher.dispatch(delivery, run);
      }
    }
    this.runs.leave(run);
  }

  /** A change that is no event: recorded, never guessed, and it blocks nothing. */
  quarantine(changeNumber: number, reason: string, message: string, cursor: Cursor): void {
    this.term.logger.warn({ change: changeNumber, reason }, `quarantined: ${message}`);
    this.ledger.quarantine({ changeNumber, reason, message });
    this.runs.pass(cursor);
  }

  /** A place in the stream with nothing to do. */
  pass(cursor: Cursor): void {
    this.runs.pass(cursor);
  }

  /** From now on nothing that ends moves the checkpoint: what was read may not be what the server has. */
  freeze(): void {
    this.runs.progress.freeze();
  }

  /** @throws what is wrong with it; then nothing has changed */
  prepare(configuration: StreamConfiguration): PreparedChange {
    const { observers } = configuration;
    this.parts.runner.prepareAll(observers);
    return { configuration, matcher: new Matcher(observers), arrangement: arrangementOf(observers) };
  }

  /** Goes on by another configuration. Nothing is read, claimed or written meanwhile. @param record puts it on record, and what waits in its new places */
  async change({ configuration, matcher, arrangement }: PreparedChange, record: () => Promise<Arranged>): Promise<void> {
    const { dispatcher, ledger, current } = this;
    dispatcher.handOverMoved(arrangement);
    await ledger.exclusively(async () => {
      const { backlogged, blocked } = await record();
      current.matcher = matcher;
      current.version = configuration.version;
      dispatcher.configure(configuration.observers, backlogged);
      dispatcher.strictLanes.learn(blocked, ledger.committed, ledger.newest);
    });
  }

  /** What waits goes to PostgreSQL; what runs may end, and is cut off after so many milliseconds: recorded as to be tried again. */
  async settle(patience: number): Promise<void> {
    const { dispatcher } = this;
    dispatcher.handOverWaiting();
    await within(dispatcher.whenIdle(), patience, () => undefined);
    await this.cut();
    await dispatcher.whenIdle();
  }

  /** Cuts all connections of actions. */
  cut(): Promise<void> {
    return this.parts.runner.close();
  }

  /** Last: what is not written by now is not written. */
  async close(): Promise<void> {
    this.dispatcher.close();
    await this.parts.enrichment.close();
    this.ledger.abandon();
  }

  private putOff(delivery: Delivery, timing: Timing, run: EventRun): void {
    try {
      this.scheduler.putOff(delivery, timing);
      run.outcomes.push(`${delivery.observer.name}/${delivery.action.name} scheduled`);
    } catch (error) {
      this.refuseUntried(delivery, 'template', messageOf(error), run);
    }
  }

  /** What waits goes all the same; a person is told, and can look at the change again when the condition is mended. */
  private unanswered({ changeNumber }: EntityEvent, message: string): void {
    this.term.logger.warn({ change: changeNumber, reason: 'cancel_when' }, `quarantined: ${message}`);
    this.ledger.quarantine({ changeNumber, reason: 'cancel_when', message });
  }

  /** What is not even tried goes where a person looks: a condition without an answer never counts as false. */
  private refuseUntried(delivery: Delivery, error: 'condition' | 'loop' | 'template', message: string, run: EventRun): void {
    if (delivery.observer.mode === 'shadow') return this.shadow.recordUntried(delivery, error, message, run);
    const endpoint = endpointNameOf(delivery.action);
    this.ledger.bury(deadLetter(delivery, endpoint, { error, message, status: null, response: null, attempts: 0 }));
    run.outcomes.push(`${delivery.observer.name}/${delivery.action.name} dead ${error}`);
  }
}

function loopMessage({ cause }: EntityEvent, maxHops: number): string {
  return `the change was brought about by ${counted(maxHops, 'delivery', 'deliveries')}, one after the other (OBSERVERS_MAX_HOPS): ${describeCause(cause ?? '')}`;
}
