import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import type { TraceContext } from '../event/trace-context';

/** What puts spans around tries. Two drivers: none, and OpenTelemetry's in `tracing/`, which is loaded only when it is configured. */
export abstract class Tracing {
  /**
   * Runs one try. Never throws by itself.
   *
   * @param id the delivery id
   * @param run given the delivery with the context of its span
   */
  abstract attempt(delivery: Delivery, id: string, run: (delivery: Delivery) => Promise<Outcome>): Promise<Outcome>;

  /** Runs one request for several deliveries. @param run given the context to pass on */
  abstract request(deliveries: readonly Delivery[], run: (trace: TraceContext | null) => Promise<Outcome>): Promise<Outcome>;

  /** Sends what is left, and ends within two seconds. */
  abstract stop(): Promise<void>;
}

export const UNTRACED: Tracing = {
  attempt: (delivery, _id, run) => run(delivery),
  // The changes come from many transactions: there is no one context to pass on.
  request: (_deliveries, run) => run(null),
  stop: () => Promise.resolve(),
};
