import type { Cursor } from '../checkpoint/cursor';
import type { Progress } from '../checkpoint/progress';
import type { Ledger } from '../delivery/ledger';
import type { EntityEvent } from '../event/entity-event';
import type { MatchResult } from '../matching/matcher';
import type { EventRun } from './event-run';
import type { PipelineEvents } from './pipeline-events';

/** The events under way. Each is held open by whoever still has something to do for it, and is finished when the last one leaves. */
export class Runs {
  constructor(
    readonly progress: Progress,
    private readonly ledger: Pick<Ledger, 'moved'>,
    readonly events: PipelineEvents,
  ) {}

  /** An event begins, held open once. @param cursor where the stream stands behind it */
  begin(event: EntityEvent, cursor: Cursor, results: readonly MatchResult[], readAt: number): EventRun {
    const run = { event, reading: this.progress.begin(cursor), results, readAt, outcomes: [] };
    this.enter(run);
    return run;
  }

  /** One more delivery for which the event waits. */
  enter(run: EventRun): void {
    run.reading.open++;
  }

  /** One less. @param outcome what became of it, for the event's line in the log */
  leave(run: EventRun, outcome?: string): void {
    if (outcome !== undefined) run.outcomes.push(outcome);
    if (--run.reading.open > 0) return;
    this.progress.finish(run.reading);
    this.ledger.moved();
    this.events.event(run);
  }

  /** A place in the stream with nothing to do. */
  pass(cursor: Cursor): void {
    this.progress.pass(cursor);
    this.ledger.moved();
  }
}
