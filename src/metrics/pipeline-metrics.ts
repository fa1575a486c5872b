import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Tier } from '../cache/lookup-cache';
import { ServiceConfiguration } from '../config/service-configuration';
import type { Settings } from '../config/settings';
import { Clock } from '../event/clock';
import type { ActionDefinition, ObserverDefinition } from '../event/definitions';
import { QUARANTINE_REASONS } from '../event/entity-event';
import type { EventRun } from '../pipeline/event-run';
import { PipelineEvents, type PipelineSubscriber, type Try } from '../pipeline/pipeline-events';
import { BoundedNames } from './bounded-names';
import { diesOf, triesFailWith } from './known-errors';

/** Observers and look-ups with series of their own. */
const MOST_NAMES = 200;
/** From a cache hit to an action of a minute. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const TRIED = ['succeeded', 'retry', 'dead'];
const TIERS: readonly Tier[] = ['memory', 'redis'];

interface Bound {
  readonly duration: { observe(seconds: number): void };
  readonly executed: Map<string, { inc(): void }>;
}

/** Counts what happens on the path of events. A series is looked up once and kept: by labels it would take 1 µs an event and label. */
@Injectable()
export class PipelineMetrics implements PipelineSubscriber {
  private readonly names = new BoundedNames(MOST_NAMES);
  private readonly processed;
  private readonly matched;
  private readonly executed;
  private readonly failed;
  private readonly deadLetters;
  private readonly quarantines;
  private readonly captureErrors;
  private readonly duration;
  private readonly processing;
  private readonly latency;
  private readonly hits;
  private readonly misses;
  private readonly duplicates;
  private readonly unclaimed;
  private readonly asked = new Map<string, { hits: number; all: number }>();
  private readonly bound = new WeakMap<ActionDefinition, Bound>();
  private readonly matchedBy = new Map<string, { inc(): void }>();
  private readonly drivers: Pick<Settings, 'dedupDriver' | 'cacheDriver'>;
  private expected: readonly ObserverDefinition[] = [];

  constructor(
    registry: Registry,
    private readonly clock: Clock,
    events: PipelineEvents,
    { settings }: ServiceConfiguration,
  ) {
    this.drivers = settings;
    events.subscribe(this);
    const registers = [registry];
    const counter = <T extends string>(name: string, help: string, labelNames: T[] = []): Counter<T> =>
      new Counter({ name, help, labelNames, registers });
    const histogram = <T extends string>(name: string, help: string, labelNames: T[] = []): Histogram<T> =>
      new Histogram({ name, help, labelNames, buckets: SECONDS, registers });
    this.processed = counter('observer_events_processed_total', 'Events that have run their course.');
    this.matched = counter('observer_events_matched_total', 'Events that an observer matched.', ['observer']);
    this.executed = counter('observer_actions_executed_total', 'Tries of deliveries, by what they came to (succeeded, skipped, retry, dead; shadow: nothing was sent).', ['observer', 'action_type', 'outcome']); // prettier-ignore
    this.failed = counter('observer_actions_failed_total', 'Tries that failed, by their error.', ['observer', 'action_type', 'error']);
    this.deadLetters = counter('observer_dlq_items_total', 'Deliveries that became dead letters.', ['observer', 'error']);
    this.quarantines = counter('observer_quarantined_total', 'Changes that could not be made events.', ['reason']);
    this.captureErrors = counter('observer_capture_errors_total', 'Changes that were recorded without their data.');
    this.duration = histogram('observer_action_duration_seconds', 'How long a try takes.', ['action_type']);
    this.processing = histogram('observer_event_processing_duration_seconds', 'From reading an event to the end of its first tries.');
    this.latency = histogram('observer_end_to_end_latency_seconds', 'From the write of a change to the end of its first tries.');
    this.hits = counter('observer_cache_hits_total', 'Look-ups that the cache answered, by where (memory, redis).', ['lookup', 'tier']);
    this.misses = counter('observer_cache_misses_total', 'Look-ups that had to be asked for.', ['lookup']);
    const { asked } = this;
    new Gauge({
      name: 'observer_cache_hit_rate',
      help: 'Part of the look-ups that the cache answered, since the start.',
      labelNames: ['lookup'],
      registers,
      collect() {
        for (const [lookup, { hits, all }] of asked) this.set({ lookup }, hits / all);
      },
    });
    this.duplicates = counter('observer_dedup_skips_total', 'Deliveries that were not made, for another with their key was.', ['observer']);
    this.unclaimed = counter('observer_dedup_unavailable_total', 'Deliveries that were made without their dedup key, for Redis did not answer.', ['observer']); // prettier-ignore
  }

  event({ event, results, readAt }: EventRun): void {
    this.processed.inc();
    this.processing.observe((this.clock.monotonic() - readAt) / 1_000);
    // The two times come from different clocks, the database's and this machine's: the difference can be negative.
    this.latency.observe(Math.max(0, this.clock.now() - Date.parse(event.timestamp)) / 1_000);
    for (const { matched, observer } of results) if (matched === true) this.matchedOf(observer.name).inc();
  }

  tried({ delivery, outcome, decided, duration }: Try): void {
    const { observer, action } = delivery;
    const bound = this.boundTo(action);
    const inShadow = observer.mode === 'shadow';
    const is = inShadow ? 'shadow' : decided.is;
    let executed = bound.executed.get(is);
    if (executed === undefined) {
      executed = this.executed.labels(this.names.of(observer.name), action.type, is);
      bound.executed.set(is, executed);
    }
    executed.inc();
    // Neither a try that took its time nor one that failed: alerts look at both.
    if (inShadow) return;
    bound.duration.observe(duration / 1_000);
    if (!outcome.ok) this.failed.inc({ observer: this.names.of(observer.name), action_type: action.type, error: outcome.error });
  }

  died(observer: string, error: string): void {
    this.deadLetters.inc({ observer: this.names.of(observer), error });
  }

  quarantined(reason: string): void {
    this.quarantines.inc({ reason });
    if (reason === 'capture_error') this.captureErrors.inc();
  }

  duplicate(observer: string): void {
    this.duplicates.inc({ observer: this.names.of(observer) });
  }

  dedupUnavailable(observer: string): void {
    this.unclaimed.inc({ observer: this.names.of(observer) });
  }

  lookedUp(lookup: string, from: Tier | null): void {
    const name = this.names.of(lookup);
    if (from === null) this.misses.inc({ lookup: name });
    else this.hits.inc({ lookup: name, tier: from });
    const asked = this.asked.get(name) ?? { hits: 0, all: 0 };
    this.asked.set(name, asked);
    asked.all++;
    if (from !== null) asked.hits++;
  }

  /**
   * Gives every counter that these observers can have its series, at 0: of a series that begins with the first burst Prometheus knows no increase.
   * Called before each scrape.
   */
  expect(observers: readonly ObserverDefinition[]): void {
    if (observers === this.expected) return;
    this.expected = observers;
    for (const reason of QUARANTINE_REASONS) this.quarantines.inc({ reason }, 0);
    for (const observer of observers) this.expectOne(observer, this.names.of(observer.name));
  }

  private expectOne(definition: ObserverDefinition, observer: string): void {
    this.matched.inc({ observer }, 0);
    if (definition.dedup !== null) this.duplicates.inc({ observer }, 0);
    if (definition.dedup !== null && this.drivers.dedupDriver === 'redis') this.unclaimed.inc({ observer }, 0);
    for (const { name } of definition.lookups) {
      const lookup = this.names.of(name);
      for (const tier of this.drivers.cacheDriver === 'redis' ? TIERS : TIERS.slice(0, 1)) this.hits.inc({ lookup, tier }, 0);
      this.misses.inc({ lookup }, 0);
    }
    for (const error of diesOf(definition)) this.deadLetters.inc({ observer, error }, 0);
    const outcomes = definition.mode === 'shadow' ? ['shadow'] : definition.dedup === null ? TRIED : [...TRIED, 'skipped'];
    for (const action of definition.actions) {
      const { type: action_type } = action;
      for (const outcome of outcomes) this.executed.inc({ observer, action_type, outcome }, 0);
      for (const error of triesFailWith(action)) this.failed.inc({ observer, action_type, error }, 0);
    }
  }

  private boundTo(action: ActionDefinition): Bound {
    let bound = this.bound.get(action);
    if (bound === undefined) {
      bound = { duration: this.duration.labels(action.type), executed: new Map() };
      this.bound.set(action, bound);
    }
    return bound;
  }

  private matchedOf(observer: string): { inc(): void } {
    const name = this.names.of(observer);
    const found = this.matchedBy.get(name) ?? this.matched.labels(name);
    this.matchedBy.set(name, found);
    return found;
  }
}
