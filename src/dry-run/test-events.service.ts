import { Injectable } from '@nestjs/common';
import { CustomActions } from '../actions/custom/custom-actions';
import { UnrecordedCalls } from '../actions/database/unrecorded-calls';
import type { LoadedConfiguration } from '../config/load';
import { DatabaseUrl } from '../database/database.module';
import { allows, type Bounds } from '../event/bounds';
import type { EntityEvent } from '../event/entity-event';
import { ExitCode, OperatorError } from '../event/errors';
import { ServiceLogger } from '../event/service-logger';
import { StoredEvents } from '../explain/stored-events.service';
import { Matcher } from '../matching/matcher';
import { Operations } from '../status/operations.service';
import { readEvent } from './sample';
import { TestBench, type SentDelivery } from './test-bench';
import type { ObserverTrial } from './trial';

export type { SentDelivery } from './test-bench';
export type { ObserverTrial } from './trial';

/** Bytes of a stored event: what it makes is rendered for each observer, and held at once. */
const LARGEST = 1 << 20;

const NONE: ReadonlySet<string> = new Set();

/** Which event: a stored one, or one of the request's as JSON text. */
export type TestedEvent = { readonly id: string } | { readonly text: string };

export interface EventTest {
  readonly event: TestedEvent;
  readonly observers: readonly string[] | null;
  readonly ask: boolean;
  /** By whom it is really sent; null: it is not. */
  readonly sentBy: string | null;
  /** Whether whoever asks may change something: others would guess by made-up events what a condition takes from outside the file. */
  readonly trusted: boolean;
}

export interface TestedRun {
  readonly event: EntityEvent;
  readonly observers: readonly ObserverTrial[];
  readonly notes: readonly string[];
  /** Null when nothing was to be sent. */
  readonly sent: readonly SentDelivery[] | null;
}

/** What the observers of a running service make of an event, and what they would send. */
@Injectable()
export class TestEvents {
  constructor(
    private readonly stored: StoredEvents,
    private readonly custom: CustomActions,
    private readonly url: DatabaseUrl,
    private readonly operations: Operations,
    private readonly logger: ServiceLogger,
  ) {}

  /** @param configuration by which it is tried @param bounds to which whoever asks keeps @throws OperatorError */
  async run({ file, settings }: LoadedConfiguration, test: EventTest, bounds: Bounds): Promise<TestedRun> {
    const { definition } = file;
    const { custom, url } = this;
    const logger = this.logger;
    const once = new UnrecordedCalls(() => Promise.resolve(url.text));
    const guarded = 'text' in test.event && !test.trusted ? definition.varying : NONE;
    const asked = definition.observers.filter(({ name }) => allows(bounds.observers, name));
    const own = asked.filter(({ name }) => !guarded.has(name));
    const notes = asked.filter(({ name }) => guarded.has(name)).map(({ name }) => `${name} is left out: it takes something from outside the file, and is tried with a made-up event only by a token with the scope write`); // prettier-ignore
    const bench = new TestBench({
      definition: { ...definition, observers: own },
      matcher: new Matcher(own),
      maxHops: settings.maxHops,
      logger,
      silent: logger.child({}, { level: 'silent' }),
      connections: { settings, custom, once },
    });
    try {
      bench.requireKnown(test.observers ?? []);
      const event = await this.eventOf(test, bench, Math.min(settings.maxEventSize, LARGEST), bounds);
      const { observers, ask, sentBy } = test;
      const { deliveries, ...tried } = await bench.run(event, { observers, ask, send: sentBy !== null });
      const run = { event, observers: tried.observers, notes: [...notes, ...tried.notes] };
      if (sentBy === null) return { ...run, sent: null };
      if (deliveries.length === 0) return { ...run, sent: [] };
      const names = [...new Set(deliveries.map(({ observer }) => observer.name))];
      const items = { event: event.id, observers: names, deliveries: deliveries.length };
      await this.operations.record({ who: sentBy, what: 'test event: sent', items, before: null, after: null });
      return { ...run, sent: await bench.send(deliveries) };
    } finally {
      await bench.close();
    }
  }

  private async eventOf({ event, observers }: EventTest, bench: TestBench, largest: number, bounds: Bounds): Promise<EntityEvent> {
    if ('id' in event) return this.storedEvent(event.id, largest, bounds);
    const made = bench.named(readEvent(event.text, 'the event'), observers);
    if (!allows(bounds.tenants, made.tenant))
      throw new OperatorError(
        'the event is of no tenant that the token is bound to',
        'Give it the tenant: "tenant": "…".',
        ExitCode.notFound,
      );
    return made;
  }

  private async storedEvent(id: string, largest: number, { tenants }: Bounds): Promise<EntityEvent> {
    const change = /^\d+$/.test(id) ? Number(id) : await this.stored.find(id);
    const decoded = change === null || !(await this.stored.isOf(change, tenants)) ? null : await this.stored.read(change, largest);
    if (decoded?.is === 'event') return decoded.event;
    if (decoded === null)
      throw new OperatorError(
        `there is no event ${id} in the change log: it was never captured, or is older than what is kept`,
        'The last events: GET /events',
        ExitCode.notFound,
      );
    const why = decoded.is === 'ignored' ? 'it is no change (NOOP, READ)' : decoded.message;
    throw new OperatorError(
      `change ${id} cannot be tried here: ${why}`,
      'By the command it may be: fraiseql-observers test-event --event-id',
    );
  }
}
