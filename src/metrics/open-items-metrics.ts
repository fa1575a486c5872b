import { Gauge, type Registry } from 'prom-client';
import type { OpenItems } from '../status/open-items.sql';
import type { BoundedNames } from './bounded-names';

/** What asks for somebody: alerts look at these. */
export class OpenItemsMetrics {
  private readonly all: Gauge;
  private readonly deadLetters: Gauge<'observer' | 'error'>;
  private readonly quarantine: Gauge<'reason'>;

  constructor(
    registry: Registry,
    private readonly observers: BoundedNames,
  ) {
    const registers = [registry];
    this.all = new Gauge({ name: 'observer_dlq_open', help: 'Dead letters and quarantined changes that ask for somebody.', registers });
    this.deadLetters = new Gauge({
      name: 'observer_dead_letters_open',
      help: 'Dead letters that ask for somebody, by what they died of.',
      labelNames: ['observer', 'error'],
      registers,
    });
    this.quarantine = new Gauge({
      name: 'observer_quarantine_open',
      help: 'Quarantined changes that ask for somebody.',
      labelNames: ['reason'],
      registers,
    });
  }

  /** @param open null when it is not known: the series are missing then */
  show(open: readonly OpenItems[] | null): void {
    this.deadLetters.reset();
    this.quarantine.reset();
    if (open === null) return this.all.remove();
    this.all.set(open.reduce((sum, { count }) => sum + count, 0));
    // By inc: several names may share a series.
    for (const { kind, observer, error, count } of open) {
      if (kind === 'quarantine') this.quarantine.inc({ reason: error }, count);
      else this.deadLetters.inc({ observer: this.observers.of(observer), error }, count);
    }
  }
}
