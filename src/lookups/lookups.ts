import type { Logger } from 'pino';
import { HttpSenders } from '../connections/http/http-sender';
import type { Clock } from '../event/clock';
import type { LookupDefinition } from '../event/definitions';
import type { EntityEvent } from '../event/entity-event';
import type { JsonValue } from '../event/json-document';
import type { Failed } from '../event/outcome';
import { Lookup, type AskedLookup, type LookedUp, type LookupEvents } from './lookup';
import type { LookupCache } from '../cache/lookup-cache';

/** The event with what was found, or the outcome of a delivery that needs what could not be found. */
export type Enriched = { readonly event: EntityEvent } | Failed;

/** What is learnt about events from elsewhere, through a cache that outlives it. Its connections live as long as a term of leadership. */
export class Lookups {
  private readonly senders: HttpSenders;
  /** By definition: a redelivery may be by an older version of the configuration. */
  private readonly prepared = new WeakMap<LookupDefinition, Lookup>();

  constructor(
    private readonly cache: LookupCache,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly events: LookupEvents,
  ) {
    this.senders = new HttpSenders(clock);
  }

  /** At once when the cache has it all. Never throws or rejects. */
  enrich(event: EntityEvent, definitions: readonly LookupDefinition[]): Enriched | Promise<Enriched> {
    const found = definitions.map((definition) => this.of(definition).find(event));
    const waited = found.some((one) => one instanceof Promise);
    if (!waited) return combined(event, definitions, found as readonly LookedUp[]);
    return Promise.all(found.map((one) => Promise.resolve(one))).then((all) => combined(event, definitions, all));
  }

  /** What a look-up would ask for; null when there is nothing to ask for. @throws TemplateRenderError */
  asks(event: EntityEvent, definition: LookupDefinition): AskedLookup | null {
    return this.of(definition).asks(event);
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.senders.close();
  }

  private of(definition: LookupDefinition): Lookup {
    let lookup = this.prepared.get(definition);
    if (lookup === undefined) {
      lookup = new Lookup(definition, this.senders.for(definition.endpoint), this.cache, this.clock, this.logger, this.events);
      this.prepared.set(definition, lookup);
    }
    return lookup;
  }
}

function combined(event: EntityEvent, definitions: readonly LookupDefinition[], found: readonly LookedUp[]): Enriched {
  const lookups: Record<string, JsonValue> = {};
  for (const [i, one] of found.entries()) {
    if ('error' in one) return one;
    if (one.value !== undefined) lookups[definitions[i]?.name ?? ''] = one.value;
  }
  return { event: { ...event, lookups } };
}
