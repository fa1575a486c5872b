import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from 'prom-client';
import { REMOVABLE } from '../retention/policy';
import { RetentionTally } from '../retention/retention-tally';

/** What this instance has removed because it was finished and old, and how old what is kept is. */
@Injectable()
export class RetentionMetrics {
  constructor(registry: Registry, tally: RetentionTally) {
    const registers = [registry];
    new Counter({
      name: 'observer_retention_removed_total',
      help: 'Rows that were removed because they were finished and older than they are kept; of attempt_day: whole days of attempts.',
      labelNames: ['table'],
      registers,
      collect() {
        this.reset();
        for (const table of REMOVABLE) this.inc({ table }, tally.removed.get(table) ?? 0);
      },
    });
    new Counter({
      name: 'observer_retention_errors_total',
      help: 'Times that what is old could not be removed; it is tried again each minute.',
      registers,
      collect() {
        this.reset();
        this.inc(tally.errors);
      },
    });
    new Gauge({
      name: 'observer_retention_oldest_seconds',
      help: 'Age of the oldest that is kept, by table, as of the last round of the leading instance.',
      labelNames: ['table'],
      registers,
      collect() {
        this.reset();
        for (const [table, at] of tally.oldest) this.set({ table }, (Date.now() - at) / 1_000);
      },
    });
  }
}
