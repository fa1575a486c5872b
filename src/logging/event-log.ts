import type { Logger } from 'pino';
import type { Clock } from '../event/clock';
import type { EventListener } from '../pipeline/event-pipeline.service';

/** One wide line per event, all fields always there: what happened, who matched, what came of it, and how long it took. */
export function eventLog(logger: Logger, clock: Clock): EventListener {
  return ({ event, results, outcomes, readAt }) => {
    if (!logger.isLevelEnabled('info')) return;
    logger.info(
      {
        event: event.id,
        change: event.changeNumber,
        entity: event.entityType,
        key: event.entityKey,
        kind: event.kind,
        tenant: event.tenant,
        matched: results.filter(({ matched }) => matched !== false).map(({ observer }) => observer.name),
        not_matched: results.filter(({ matched }) => matched === false).map(({ observer }) => observer.name),
        deliveries: outcomes,
        // From the write of the row (its own clock) to now; and from reading it to now.
        lag_ms: clock.now() - Date.parse(event.timestamp),
        duration_ms: Math.round((clock.monotonic() - readAt) * 10) / 10,
      },
      'event',
    );
  };
}
