import { NATS_CONCURRENCY, type Message, type NatsServer } from '../../connections/nats-server';
import { DEFAULT_BREAKER, type PublishTo } from '../../event/definitions';
import type { Delivery } from '../../event/delivery';
import type { Outcome } from '../../event/outcome';
import { compileTemplate, type Template } from '../../matching/template/template';
import type { PreparedAction } from '../action-handler';
import { FilledTemplates } from '../fill';
import { renderingOf, type Rendering } from '../rendering';
import { bodyOf, compileHeaders, filledHeaders, serviceHeaders, type MessageParts } from './message';

/** A subject of NATS JetStream, which drops repeats by the delivery id. */
export class PreparedNatsMessage implements PreparedAction {
  readonly limits = { concurrency: NATS_CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly subject: Template;
  private readonly headers: ReturnType<typeof compileHeaders>;

  constructor(
    to: PublishTo<'nats'>,
    private readonly parts: MessageParts,
    private readonly nats: NatsServer,
  ) {
    this.timeout = parts.timeout;
    this.subject = compileTemplate(to.subject, 'subject');
    this.headers = compileHeaders(to.headers);
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    return this.nats.publish(this.message(delivery, id, new FilledTemplates(delivery)), this.timeout);
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    const { subject, headers, body } = this.message(delivery, id, fill);
    // The client makes this header of the id.
    return renderingOf({ type: 'nats', subject, headers: [['Nats-Msg-Id', id], ...headers], body }, fill);
  }

  private message(delivery: Delivery, id: string, fill: FilledTemplates): Message {
    const headers = [...serviceHeaders(delivery), ...filledHeaders(this.headers, fill)];
    const body = bodyOf(this.parts, delivery, fill);
    return { id, subject: fill.text(this.subject), headers, body };
  }
}
