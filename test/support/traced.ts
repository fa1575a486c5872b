import pino, { type Logger } from 'pino';
import type { Settings } from '../../src/config/settings';
import { collectorOf } from '../../src/config/settings/telemetry';
import type { ObserverDefinition } from '../../src/event/definitions';
import { startTracing } from '../../src/tracing/start-tracing';
import { startCollector, type CollectedSpan, type Collector } from './collector';
import { givenOrders, type Given } from './fixture';
import type { Receiver } from './receiver';
import { defaultSettings, endpointOf, observerOf } from './stream';
import { atLeast, untilRows } from './until';

export const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
export const PARENT = '00f067aa0ba902b7';
export const SAMPLED = `00-${TRACE}-${PARENT}-01`;

/** Each test has a stream with orders, and a collector of its spans. */
export class Traced {
  readonly given: Given<Receiver> = givenOrders('create table public.orders (id bigint primary key, note text)');
  readonly logger: Logger = pino(
    { level: 'info' },
    { write: (line: string) => void this.log.push(JSON.parse(line) as Record<string, unknown>) },
  );
  /** A test may put another in its place. */
  collector!: Collector;
  log: Record<string, unknown>[] = [];
  #stopTracing: () => Promise<void> = () => Promise.resolve();

  constructor() {
    beforeEach(async () => {
      this.log = [];
      this.#stopTracing = () => Promise.resolve();
      this.collector = await startCollector();
    });
    afterEach(async () => {
      await this.stop();
      await this.collector.receiver.close();
    });
  }

  /** The stream as the service runs it; ending it sends the spans that are left, as a stop does. */
  async start(observers: readonly ObserverDefinition[], changed: Partial<Settings> = {}): Promise<void> {
    const settings = defaultSettings({ otlpEndpoint: this.collector.receiver.url, ...changed });
    const tracing = startTracing(collectorOf(settings)!, settings, this.logger);
    this.#stopTracing = () => tracing.stop();
    await this.given.start(observers, { settings, tracing });
  }

  async stop(): Promise<void> {
    await this.given.stop();
    const stopTracing = this.#stopTracing;
    this.#stopTracing = () => Promise.resolve();
    await stopTracing();
  }

  /** Everything that was recorded, once the service has stopped. */
  async spansAfterStop(): Promise<readonly CollectedSpan[]> {
    await this.stop();
    return this.collector.spans;
  }

  /** Writes an order in a transaction that belongs to a trace, as an application does. */
  async write(id: number, traceparent: string | null, tracestate = ''): Promise<void> {
    const { database } = this.given;
    const belong = "select set_config('observers.traceparent', $1, true), set_config('observers.tracestate', $2, true)";
    await database.query('begin');
    if (traceparent !== null) await database.query(belong, [traceparent, tracestate]);
    await database.query('insert into orders values ($1, $2)', [id, 'CANARY-note']);
    await database.query('commit');
  }

  hook(changed: Partial<ObserverDefinition> = {}): ObserverDefinition {
    const endpoint = endpointOf(`${this.given.receiver.url}/hook`, { name: 'billing' });
    return observerOf('bill', endpoint, { entities: ['Order'], ...changed });
  }

  async eventId(): Promise<string> {
    const first = 'select id from core.tb_entity_change_log order by pk_entity_change_log limit 1';
    return (await this.given.database.query<{ id: string }>(first))[0]!.id;
  }

  /** Until so many tries have ended that no other follows. */
  finished(count: number): Promise<unknown> {
    return untilRows(this.given.database, "select error from observers.attempt where outcome <> 'retry'", atLeast(count));
  }
}
