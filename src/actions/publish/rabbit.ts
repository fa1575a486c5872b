import type { RabbitMessage } from '../../connections/rabbit/message';
import { RABBIT_CONCURRENCY, type RabbitServer } from '../../connections/rabbit-server';
import { DEFAULT_BREAKER, type PublishTo } from '../../event/definitions';
import type { Delivery } from '../../event/delivery';
import type { Outcome } from '../../event/outcome';
import { compileTemplate, type Template } from '../../matching/template/template';
import type { PreparedAction } from '../action-handler';
import { FilledTemplates } from '../fill';
import { renderingOf, type Rendering } from '../rendering';
import { cloudEventHeaders } from './cloud-event';
import { bodyOf, compileHeaders, contentTypeOf, filledHeaders, isContentType, serviceHeaders, type MessageParts } from './message';

/** An exchange of RabbitMQ, which confirms what its queues have. */
export class PreparedRabbitMessage implements PreparedAction {
  readonly limits = { concurrency: RABBIT_CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly exchange: string;
  private readonly routingKey: Template;
  private readonly headers: ReturnType<typeof compileHeaders>;

  constructor(
    { exchange, routingKey, headers }: PublishTo<'rabbitmq'>,
    private readonly parts: MessageParts,
    private readonly rabbit: RabbitServer,
  ) {
    this.timeout = parts.timeout;
    this.exchange = exchange;
    this.routingKey = compileTemplate(routingKey, 'subject');
    this.headers = compileHeaders(headers);
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    return this.rabbit.publish(this.message(delivery, id, new FilledTemplates(delivery)), this.timeout);
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    const { exchange, routingKey, contentType, headers, body } = this.message(delivery, id, fill);
    // The client sends these two as properties of the message.
    const properties = [['message-id', id], ['content-type', contentType]] as const; // prettier-ignore
    return renderingOf({ type: 'rabbitmq', exchange, routingKey, headers: [...properties, ...headers], body }, fill);
  }

  private message(delivery: Delivery, id: string, fill: FilledTemplates): RabbitMessage {
    const own = filledHeaders(this.headers, fill);
    const contentType = own.find(isContentType)?.[1] ?? contentTypeOf(this.parts);
    const headers = [
      ...cloudEventHeaders('cloudEvents:', delivery, id),
      ...serviceHeaders(delivery),
      ...own.filter((header) => !isContentType(header)),
    ];
    const routingKey = fill.text(this.routingKey);
    return { id, exchange: this.exchange, routingKey, contentType, headers, body: bodyOf(this.parts, delivery, fill) };
  }
}
