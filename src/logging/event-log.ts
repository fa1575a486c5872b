import type { Logger } from 'pino';
import type { Clock } from '../event/clock';
import { traceIdOf } from '../event/trace-context';
import type { EventRun } from '../pipeline/runs';
import type { PipelineListener } from '../pipeline/pipeline-events';

/** One wide line per event, all fields always there: what happened, who matched, what came of it, and how long it took. */
export function eventLog(logger: Logger, clock: Clock): PipelineListener {
  // Nothing in it can be secret, and looking for what is costs 8 of the line's 12 µs.
  const plain = logger.child({}, { redact: [] });
  const event = ({ event, results, outcomes, readAt }: EventRun): void => {
    if (!plain.isLevelEnabled('info')) return;
    const matched: string[] = [];
    const notMatched: string[] = [];
    for (const { matched: verdict, observer } of results) (verdict === false ? notMatched : matched).push(observer.name);
    plain.info(
      {
        event: event.id,
        change: event.changeNumber,
        entity: event.entityType,
        key: event.entityKey,
        kind: event.kind,
        tenant: event.tenant,
        trace_id: traceIdOf(event),
        matched,
        not_matched: notMatched,
        deliveries: outcomes,
        // From the write of the row (its own clock) to now; and from reading it to now.
        lag_ms: clock.now() - Date.parse(event.timestamp),
        duration_ms: Math.round((clock.monotonic() - readAt) * 10) / 10,
      },
      'event',
    );
  };
  return { event };
}
