import { isValidTraceId } from '@opentelemetry/api';
import { RandomIdGenerator, type IdGenerator } from '@opentelemetry/sdk-trace-base';

/**
 * The trace id of an event that has no trace: its own id, without dashes. So all tries of all its deliveries are one trace, before and
 * after a restart, and whoever has the event's id finds it. Other ids are random.
 */
export class EventTraceIds implements IdGenerator {
  /** Id (UUID) of the event that the next span is for; null: of none. Written before each span is started, which happens at once. */
  next: string | null = null;
  private readonly random = new RandomIdGenerator();
  readonly generateSpanId = this.random.generateSpanId;

  generateTraceId(): string {
    const id = this.next?.replaceAll('-', '') ?? '';
    return isValidTraceId(id) ? id : this.random.generateTraceId();
  }
}
