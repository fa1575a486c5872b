import type { ObserverDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Clock } from '../event/clock';
import { messageOf } from '../event/errors';
import { failed, withoutSecrets, type Outcome } from '../event/outcome';
import type { Enriched, Lookups } from './lookups';
import { conditionOf, type Condition } from '../matching/condition/condition';

/** A delivery that may go on to its endpoint, or what became of it before. */
export type Prepared = Delivery | Outcome;

const DECLINED: Outcome = { ok: true, status: null, skipped: 'with what was looked up, the condition is not met' };

/** What a delivery needs before it may go: its observer's look-ups, and a condition that had to wait for them. */
export class Enrichment {
  /** Null: the condition was decided when the event was matched. */
  private readonly conditions = new WeakMap<ObserverDefinition, Condition | null>();

  constructor(
    private readonly lookups: Lookups,
    private readonly clock: Clock,
  ) {}

  /** Cuts the connections of its look-ups. */
  close(): Promise<void> {
    return this.lookups.close();
  }

  /** At once where nothing is to be fetched. Never throws or rejects. */
  prepare(delivery: Delivery): Prepared | Promise<Prepared> {
    const { event, observer } = delivery;
    if (observer.lookups.length === 0) return delivery;
    const enriched = this.lookups.enrich(event, observer.lookups);
    return enriched instanceof Promise ? enriched.then((result) => this.decide(delivery, result)) : this.decide(delivery, enriched);
  }

  private decide(delivery: Delivery, enriched: Enriched): Prepared {
    if ('error' in enriched) return withoutSecrets(enriched);
    const { event } = enriched;
    try {
      const met = this.conditionOf(delivery.observer)?.matches({ event, now: this.clock.now() }) ?? true;
      return met ? { ...delivery, event } : DECLINED;
    } catch (error) {
      return withoutSecrets(failed('condition', `the condition has no answer: ${messageOf(error)}`));
    }
  }

  private conditionOf(observer: ObserverDefinition): Condition | null {
    let condition = this.conditions.get(observer);
    if (condition === undefined) {
      const compiled = conditionOf(observer);
      condition = compiled !== null && compiled.lookups.length > 0 ? compiled : null;
      this.conditions.set(observer, condition);
    }
    return condition;
  }
}
