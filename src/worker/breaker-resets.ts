import type { Pool } from 'pg';
import { noteReset, readResets } from '../delivery/breaker-resets.sql';
import type { EventPipeline } from '../pipeline/event-pipeline';

/** How often the table is asked, in milliseconds: a wish comes from another process, and who has it waits for the answer. */
const LOOK_EVERY = 500;

/** Closes circuit breakers as people ask for it from elsewhere. Called by the delivery worker between its claims. */
export class BreakerResets {
  private lookedAt = -Infinity;

  constructor(
    private readonly pool: Pool,
    private readonly pipeline: EventPipeline,
  ) {}

  async look(): Promise<void> {
    const { stream, clock, logger } = this.pipeline.term;
    if (clock.monotonic() - this.lookedAt < LOOK_EVERY) return;
    this.lookedAt = clock.monotonic();
    for (const { endpoint, askedBy, reason } of await readResets(this.pool, stream)) {
      const was = this.pipeline.resetBreaker(endpoint);
      await noteReset(this.pool, stream, endpoint, was);
      logger.info({ endpoint, by: askedBy, reason, was }, 'somebody asked for a circuit breaker to be closed');
    }
  }
}
