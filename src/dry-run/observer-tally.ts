import type { ObserverDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import { FrequentKeys } from './counting';
import { firstTry, type Renderer } from './renderer';
import type { Examples, ObserverPreview, Trouble } from './report';

/** Ids of events that are shown of each finding. */
const EXAMPLES = 5;
const HOTTEST = 5;
const MOST_KINDS = 100;

/** What an observer made of one event; `none`: it has no such observer. */
export type Answer = 'yes' | 'no' | 'no answer' | 'undecided' | 'none';

export class Tally {
  count = 0;
  readonly events: string[] = [];

  add(event: string): void {
    this.count++;
    if (this.events.length < EXAMPLES) this.events.push(event);
  }

  get examples(): Examples {
    return { count: this.count, events: this.events };
  }
}

/** Gathers what one observer makes of many events. Its memory does not grow with them. */
export class ObserverTally {
  private matched = 0;
  private undecided = 0;
  private loops = 0;
  private deliveries = 0;
  private readonly noAnswer = new Tally();
  private error: string | null = null;
  private readonly newly = new Tally();
  private readonly noLonger = new Tally();
  private unknown = 0;
  private readonly keys = new FrequentKeys();
  private readonly failing = new Map<string, Tally>();
  private readonly missing = new Map<string, Tally>();
  private newest: EntityEvent | null = null;

  /** @param lookups names of those that its condition takes */
  constructor(
    private readonly observer: ObserverDefinition,
    private readonly is: ObserverPreview['is'],
    private readonly renderer: Renderer,
  ) {}

  /** @returns the deliveries that the event would have */
  add(event: EntityEvent, answer: Answer, error: string | null, before: Answer, tooManyHops: boolean): Delivery[] {
    this.compare(event, answer, before);
    if (answer === 'no answer') {
      this.noAnswer.add(event.id);
      this.error ??= error;
    }
    if (answer === 'undecided') this.undecided++;
    if (answer === 'yes') this.matched++;
    if (answer !== 'yes') return [];
    if (tooManyHops) {
      this.loops++;
      return [];
    }
    const deliveries = this.observer.actions.map((action): Delivery => firstTry({ event, observer: this.observer, action }));
    this.newest = event;
    this.deliveries += deliveries.length;
    this.keys.add(`${event.entityType} ${event.entityKey}`, deliveries.length);
    for (const delivery of deliveries) this.render(delivery);
    return deliveries;
  }

  preview(compared: boolean): ObserverPreview {
    const { observer, newest, is, matched, undecided, loops, unknown, deliveries } = this;
    const difference = { newlyMatched: this.newly.examples, noLongerMatched: this.noLonger.examples, unknown };
    return {
      name: observer.name,
      is,
      mode: observer.mode,
      matched,
      noAnswer: { ...this.noAnswer.examples, error: this.error },
      undecided,
      loops,
      difference: compared ? difference : null,
      lookups: observer.lookups.map(({ name }) => name),
      deliveries,
      failing: troubles(this.failing),
      missing: troubles(this.missing),
      hottest: this.keys.top(HOTTEST),
      sample:
        newest === null ? null : { event: newest.id, entity: `${newest.entityType} ${newest.entityKey}`, deliveries: this.shown(newest) },
    };
  }

  private compare(event: EntityEvent, now: Answer, before: Answer): void {
    const known = [now, before].every((answer) => answer === 'yes' || answer === 'no' || answer === 'none');
    if (!known) this.unknown++;
    else if (now === 'yes' && before !== 'yes') this.newly.add(event.id);
    else if (now !== 'yes' && before === 'yes') this.noLonger.add(event.id);
  }

  private render(delivery: Delivery): void {
    const { action, event } = delivery;
    const { missing, problem } = this.renderer.lackOf(delivery);
    if (problem !== null) count(this.failing, action.name, problem, event.id);
    for (const name of new Set(missing)) count(this.missing, action.name, name, event.id);
  }

  private shown(event: EntityEvent): ReturnType<Renderer['render']>[] {
    return this.observer.actions.map((action) => this.renderer.render(firstTry({ event, observer: this.observer, action })));
  }
}

function count(tallies: Map<string, Tally>, action: string, what: string, event: string): void {
  const own = `${action}\n${what}`;
  // What goes wrong may be told with a size or the like, and so in any number of ways.
  const key = tallies.has(own) || tallies.size < MOST_KINDS ? own : `${action}\nand more of other kinds`;
  const tally = tallies.get(key) ?? new Tally();
  tallies.set(key, tally);
  tally.add(event);
}

function troubles(tallies: ReadonlyMap<string, Tally>): Trouble[] {
  return [...tallies].map(([key, { examples }]) => {
    const [action = '', ...what] = key.split('\n');
    return { action, what: what.join('\n'), ...examples };
  });
}
