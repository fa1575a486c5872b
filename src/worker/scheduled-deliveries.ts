import type { JobQueue } from '../jobs/job-queue';
import type { EventPipeline } from '../pipeline/event-pipeline';

/** How often it is asked whether something is due, in milliseconds. */
const LOOK_EVERY = 200;

/** Queues deliveries whose time has come. Called by the delivery worker between its claims, hence never beside one. */
export class ScheduledDeliveries {
  private lookedAt = -Infinity;
  /** What is due by the database's time `until`, as it was asked for at the monotonic time `at`; null: nothing is. */
  private due: { readonly until: string; readonly at: number } | null = null;

  constructor(
    private readonly jobs: JobQueue,
    private readonly pipeline: EventPipeline,
  ) {}

  async look(): Promise<void> {
    const { due, pipeline } = this;
    if (due === null) return this.ask();
    // Until then a change that was committed in time may replace or cancel what is due.
    if (!pipeline.scheduler.hasPassed(due.at)) return;
    const { record, dispatcher } = pipeline.parts;
    for (const endpoint of await this.jobs.release(pipeline.term, due.until, record.pauses.all)) dispatcher.gates.queued(endpoint);
    this.due = null;
  }

  private async ask(): Promise<void> {
    const { stream, clock } = this.pipeline.term;
    if (clock.monotonic() - this.lookedAt < LOOK_EVERY) return;
    this.lookedAt = clock.monotonic();
    const until = await this.jobs.due(stream);
    if (until === null) return;
    this.due = { until, at: clock.monotonic() };
    // It may be asleep: with nothing committed there is nothing that would wake it.
    this.pipeline.events.due();
  }
}
