import { limitsOf, type EndpointLimits, type ObserverDefinition } from '../event/definitions';
import { hopsOf } from '../event/cause';
import type { Delivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import type { EntityEvent } from '../event/entity-event';
import type { Decoded } from '../change-log/decode';
import { conditionOf } from '../matching/condition/condition';
import { Matcher } from '../matching/matcher';
import { ObserverTally, type Answer } from './observer-tally';
import { PeakRate } from './counting';
import type { Renderer } from './renderer';
import type { EndpointPreview, PreviewReport } from './report';

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** One configuration as it judges. */
class JudgingSide {
  readonly matcher: Matcher;
  private readonly names: ReadonlySet<string>;
  /** Observers whose condition takes look-ups. */
  private readonly undecided: ReadonlySet<string>;

  constructor(readonly observers: readonly ObserverDefinition[]) {
    this.matcher = new Matcher(observers);
    this.names = new Set(observers.map(({ name }) => name));
    const taking = observers.filter((observer) => (conditionOf(observer)?.lookups.length ?? 0) > 0);
    this.undecided = new Set(taking.map(({ name }) => name));
  }

  /** By the name of the observer; who is not there is not asked about the event's entity and kind. */
  answers(event: EntityEvent, now: number): Map<string, { readonly answer: Answer; readonly error: string | null }> {
    const found = new Map<string, { readonly answer: Answer; readonly error: string | null }>();
    for (const result of this.matcher.match(event, now)) {
      const { name } = result.observer;
      if (this.undecided.has(name)) found.set(name, { answer: 'undecided', error: null });
      else if (result.matched === null) found.set(name, { answer: 'no answer', error: result.error });
      else found.set(name, { answer: result.matched ? 'yes' : 'no', error: null });
    }
    return found;
  }

  has(name: string): boolean {
    return this.names.has(name);
  }
}

/** What goes to one endpoint. */
class EndpointTally {
  private deliveries = 0;
  private readonly hours = new PeakRate(HOUR);
  private readonly peak: PeakRate;

  constructor(
    private readonly endpoint: string,
    private readonly limits: EndpointLimits | null,
  ) {
    this.peak = new PeakRate(limits?.rateLimit?.per ?? MINUTE);
  }

  add(moment: number): void {
    this.deliveries++;
    this.hours.add(moment);
    this.peak.add(moment);
  }

  preview(hours: number): EndpointPreview {
    const { endpoint, deliveries, peak } = this;
    const rateLimit = this.limits?.rateLimit ?? null;
    return {
      endpoint,
      deliveries,
      perHour: Math.round((deliveries / hours) * 10) / 10,
      busiestHour: { from: new Date(this.hours.at).toISOString(), deliveries: this.hours.count },
      rateLimit,
      peak: { from: new Date(peak.at).toISOString(), span: peak.span, deliveries: peak.count },
      overLimit: rateLimit !== null && peak.count > rateLimit.count,
    };
  }
}

/**
 * Runs a configuration over stored events, beside the one that runs, and sends nothing. `NOW()` is the time of each event. Its memory does
 * not grow with the events.
 */
export class Preview {
  private readonly next: JudgingSide;
  private readonly running: JudgingSide | null;
  private readonly tallies = new Map<string, ObserverTally>();
  private readonly endpoints = new Map<string, EndpointTally>();
  private events = 0;
  private unreadable = 0;
  private from: number | null = null;
  private to: number | null = null;

  /** @param running null when no service has run yet, or its version cannot be read */
  constructor(
    next: readonly ObserverDefinition[],
    running: readonly ObserverDefinition[] | null,
    renderer: Renderer,
    private readonly maxHops: number,
  ) {
    this.next = new JudgingSide(next);
    this.running = running === null ? null : new JudgingSide(running);
    for (const observer of next)
      this.tallies.set(observer.name, new ObserverTally(observer, this.running?.has(observer.name) === false ? 'new' : 'kept', renderer));
    for (const observer of running ?? [])
      if (!this.next.has(observer.name)) this.tallies.set(observer.name, new ObserverTally(observer, 'removed', renderer));
  }

  add(decoded: Decoded): void {
    if (decoded.is === 'quarantined') this.unreadable++;
    if (decoded.is !== 'event') return;
    const { event } = decoded;
    const moment = Date.parse(event.timestamp);
    this.events++;
    this.from = Math.min(this.from ?? moment, moment);
    this.to = Math.max(this.to ?? moment, moment);
    const now = this.next.answers(event, moment);
    const before = this.running?.answers(event, moment) ?? new Map<string, never>();
    const tooManyHops = hopsOf(event.cause) >= this.maxHops;
    for (const name of new Set([...now.keys(), ...before.keys()])) {
      const { answer, error } = now.get(name) ?? { answer: this.next.has(name) ? 'no' : 'none', error: null };
      const old: Answer = before.get(name)?.answer ?? (this.running?.has(name) === true ? 'no' : 'none');
      const deliveries = this.tallies.get(name)?.add(event, answer, error, old, tooManyHops) ?? [];
      for (const delivery of deliveries) if (delivery.observer.mode === 'live') this.count(delivery, moment);
    }
  }

  get report(): PreviewReport {
    const { events, unreadable, from, to } = this;
    const hours = Math.max(1, ((to ?? 0) - (from ?? 0)) / HOUR);
    const text = (moment: number | null): string | null => (moment === null ? null : new Date(moment).toISOString());
    const endpoints = [...this.endpoints.values()].map((tally) => tally.preview(hours)).sort((a, b) => b.deliveries - a.deliveries);
    const observers = [...this.tallies.values()].map((tally) => tally.preview(this.running !== null));
    return { events, unreadable, from: text(from), to: text(to), observers, endpoints };
  }

  private count({ action }: Delivery, moment: number): void {
    const name = endpointNameOf(action);
    let tally = this.endpoints.get(name);
    if (tally === undefined) {
      tally = new EndpointTally(name, limitsOfAction(action));
      this.endpoints.set(name, tally);
    }
    tally.add(moment);
  }
}

function limitsOfAction(action: Delivery['action']): EndpointLimits | null {
  if (action.type === 'webhook' || action.type === 'slack') return limitsOf(action.endpoint);
  return action.type === 'custom' ? action.limits : null;
}
