import { STOPPING, type Outcome } from '../event/outcome';
import type { KafkaMessage } from './kafka/message';
import type { KafkaProducer } from './kafka/producer';

/** Messages whose acknowledgement is waited for at once. Those of one partition travel together. */
export const KAFKA_CONCURRENCY = 256;

/** The cluster of KAFKA_URL. Its brokers are dialled when they are needed, and again after a connection was lost. */
export class KafkaServer {
  private producer: KafkaProducer | null = null;
  private closed = false;

  constructor(private readonly url: string) {}

  /** Until all replicas that are in step have it. Never rejects: what goes wrong is an outcome. @param timeout milliseconds, dialling included */
  async publish(message: KafkaMessage, timeout: number): Promise<Outcome> {
    const until = performance.now() + timeout;
    // Loaded when it is needed: a start has no use for it.
    const { KafkaProducer } = await import('./kafka/producer');
    const { outcomeOf } = await import('./kafka/outcomes');
    try {
      if (this.closed) return STOPPING;
      this.producer ??= new KafkaProducer(this.url);
      await this.producer.send(message, until);
      return { ok: true, status: null };
    } catch (error) {
      return this.closed ? STOPPING : outcomeOf(error as Error, timeout);
    }
  }

  /** Messages under way end as `interrupted`. */
  close(): void {
    this.closed = true;
    this.producer?.close();
  }
}
