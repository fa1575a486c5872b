import type { Pool } from 'pg';
import { recordOperation } from '../database/operation.sql';
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
    for (const { endpoint, askedBy, reason, via } of await readResets(this.pool, stream)) {
      const state = this.pipeline.breakers().find(({ name }) => name === endpoint)?.state ?? 'closed';
      const operation = {
        who: askedBy,
        what: 'breaker: reset',
        items: { endpoint, reason },
        before: { state },
        after: { state: 'closed' },
        via,
      };
      if (state !== 'closed') await recordOperation(this.pool, operation);
      const was = this.pipeline.resetBreaker(endpoint);
      await noteReset(this.pool, stream, endpoint, was);
      logger.info({ endpoint, by: askedBy, reason, was }, 'somebody asked for a circuit breaker to be closed');
    }
  }
}
