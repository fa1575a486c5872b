import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { MemoryCache } from '../cache/memory-cache';
import { textsIn } from '../config/redaction';
import { hopsOf } from '../event/cause';
import { counted } from '../event/counted';
import { SystemClock } from '../event/clock';
import type { ObserversDefinition, Redactor } from '../event/definitions';
import { idOf, type Delivery } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import { ExitCode, OperatorError } from '../event/errors';
import { Lookups } from '../lookups/lookups';
import type { Matcher } from '../matching/matcher';
import { Renderer, type DryParts } from './renderer';
import { tryEvent, type ObserverTrial, type Trial } from './trial';

/** Characters that are shown of the answer to a test that failed. */
const ANSWER = 1_000;

/** What became of one delivery that was really sent. */
export interface SentDelivery {
  readonly observer: string;
  readonly action: string;
  /** Its own: not that of the real delivery. */
  readonly id: string;
  readonly ok: boolean;
  readonly status: number | null;
  readonly error: string | null;
  readonly message: string | null;
  /** The beginning of a failure's answer. */
  readonly response: string | null;
}

export interface BenchParts {
  readonly definition: ObserversDefinition;
  readonly matcher: Matcher;
  readonly maxHops: number;
  /** Of what is really sent. */
  readonly logger: Logger;
  /** Of look-ups. */
  readonly silent: Logger;
  readonly connections: DryParts;
}

/** Which observers (null: all), whether look-ups are really asked, and whether it is going to be sent. */
export interface TestRequest {
  readonly observers: readonly string[] | null;
  readonly ask: boolean;
  readonly send: boolean;
}

export interface Tried {
  readonly observers: readonly ObserverTrial[];
  readonly notes: readonly string[];
  /** What would be sent. */
  readonly deliveries: readonly Delivery[];
}

/** Where an event is tried: what every observer makes of it, and what it would send. One for each configuration; its owner closes it. */
export class TestBench {
  private readonly renderer: Renderer;
  private readonly lookups: Lookups;
  private readonly redaction: Redactor;

  constructor(private readonly parts: BenchParts) {
    const { definition, logger, silent, connections } = parts;
    this.redaction = definition.redaction;
    this.renderer = new Renderer(definition.observers, definition.redaction, logger, connections);
    this.lookups = new Lookups(new MemoryCache(), new SystemClock(), silent, { lookedUp: () => undefined });
  }

  /** @throws OperatorError for an observer that there is not */
  requireKnown(names: readonly string[]): void {
    const known = this.parts.definition.observers.map(({ name }) => name);
    const missing = names.find((name) => !known.includes(name));
    if (missing !== undefined)
      throw new OperatorError(`there is no observer "${missing}" in the file`, `There are: ${known.join(', ')}.`, ExitCode.notFound);
  }

  /** A backfill's, which a file may hold, as if it were for these (null: all). */
  named(event: EntityEvent, observers: readonly string[] | null): EntityEvent {
    const names = observers ?? this.parts.definition.observers.map(({ name }) => name);
    return event.backfill === null ? event : { ...event, backfill: { ...event.backfill, observers: names } };
  }

  /** Sends nothing. */
  async run(event: EntityEvent, { observers, ask, send }: TestRequest): Promise<Tried> {
    const { matcher, maxHops } = this.parts;
    const { renderer, lookups, redaction } = this;
    const testId = (): string | undefined => (send ? randomUUID() : undefined);
    const trials = await tryEvent(event, { matcher, renderer, redaction, lookups, ask: ask || send, now: Date.now(), observers, testId });
    return { observers: trials.map(({ shown }) => shown), notes: loopNotes(event, maxHops), deliveries: sentOf(trials) };
  }

  /** Really, each once, and without a record. */
  send(deliveries: readonly Delivery[]): Promise<SentDelivery[]> {
    return Promise.all(deliveries.map((delivery) => this.sendOne(delivery)));
  }

  async close(): Promise<void> {
    await Promise.all([this.renderer.close(), this.lookups.close()]);
  }

  private async sendOne(delivery: Delivery): Promise<SentDelivery> {
    const { observer, action } = delivery;
    const outcome = await this.renderer.run(delivery);
    const said = { observer: observer.name, action: action.name, id: idOf(delivery), ok: outcome.ok, status: outcome.status };
    if (outcome.ok) return { ...said, error: null, message: outcome.skipped ?? null, response: null };
    const texts = textsIn(action);
    const { error, message, excerpt } = outcome;
    const response = excerpt === null ? null : this.redaction.text(beginningOf(excerpt), texts);
    return { ...said, error, message: this.redaction.text(message, texts), response };
  }
}

// One that is undecided here has had its look-ups, and is not: every other verdict sends nothing.
function sentOf(trials: readonly Trial[]): Delivery[] {
  return trials.filter(({ shown }) => shown.verdict === 'matched' && shown.mode === 'live').flatMap((trial) => trial.deliveries);
}

function loopNotes({ cause }: EntityEvent, maxHops: number): string[] {
  return hopsOf(cause) >= maxHops
    ? [
        `${counted(maxHops, 'delivery', 'deliveries')} brought it about (OBSERVERS_MAX_HOPS): the service would make dead letters of its deliveries`,
      ]
    : [];
}

function beginningOf(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= ANSWER ? line : `${line.slice(0, ANSWER - 1)}…`;
}
