import type { KafkaMessage } from '../../connections/kafka/message';
import { KAFKA_CONCURRENCY, type KafkaServer } from '../../connections/kafka-server';
import { DEFAULT_BREAKER, type PublishTo } from '../../event/definitions';
import type { Delivery } from '../../event/delivery';
import type { Outcome } from '../../event/outcome';
import { compileTemplate, type Template } from '../../matching/template/template';
import type { PreparedAction } from '../action-handler';
import { FilledTemplates } from '../fill';
import { renderingOf, type Rendering } from '../rendering';
import { cloudEventHeaders, entityOf } from './cloud-event';
import { bodyOf, compileHeaders, contentTypeOf, filledHeaders, isContentType, serviceHeaders, type MessageParts } from './message';

/** A topic of Kafka: messages of one key are in one partition, and so in order. */
export class PreparedKafkaMessage implements PreparedAction {
  readonly limits = { concurrency: KAFKA_CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly topic: string;
  private readonly key: Template | null;
  private readonly headers: ReturnType<typeof compileHeaders>;

  constructor(
    { topic, key, headers }: PublishTo<'kafka'>,
    private readonly parts: MessageParts,
    private readonly kafka: KafkaServer,
  ) {
    this.timeout = parts.timeout;
    this.topic = topic;
    this.key = key === null ? null : compileTemplate(key, 'text');
    this.headers = compileHeaders(headers);
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    return this.kafka.publish(this.message(delivery, id, new FilledTemplates(delivery)), this.timeout);
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    return renderingOf({ type: 'kafka', ...this.message(delivery, id, fill) }, fill);
  }

  private message(delivery: Delivery, id: string, fill: FilledTemplates): KafkaMessage {
    const own = filledHeaders(this.headers, fill);
    const headers = [
      ...cloudEventHeaders('ce_', delivery, id),
      ...(own.some(isContentType) ? [] : ([['content-type', contentTypeOf(this.parts)]] as const)),
      ...serviceHeaders(delivery),
      ...own,
    ];
    const key = this.key === null ? entityOf(delivery.event) : fill.text(this.key);
    return { topic: this.topic, key, headers, body: bodyOf(this.parts, delivery, fill) };
  }
}
