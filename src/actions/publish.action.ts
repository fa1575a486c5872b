import { TEST_HEADER } from '../event/webhook-headers';
import { DEFAULT_BREAKER, type PublishActionDefinition, type PublishTarget } from '../event/definitions';
import { causeOf } from '../event/cause';
import { passedOn, type Delivery } from '../event/delivery';
import { envelopeText, eventTypeName } from '../event/envelope';
import type { Outcome } from '../event/outcome';
import { traceHeaders } from '../event/trace-context';
import { compileBody, compileTemplate, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import { NATS_CONCURRENCY, type Message, type NatsServer } from '../connections/nats-server';
import { REDIS_CONCURRENCY, type RedisServer } from '../connections/redis-server';
import { renderingOf, type Header, type Rendering } from './rendering';

/** Sends a message to a broker: a subject of NATS JetStream, which drops repeats by the delivery id, or a stream of Redis. */
export function publishAction(nats: NatsServer | null, redis: RedisServer | null): ActionHandler<PublishActionDefinition> {
  return {
    type: 'publish',
    prepare({ to, body, timeout }) {
      const server = to.broker === 'nats' ? nats : redis;
      if (server === null) throw new Error(`a publish action to ${to.broker} without its URL got past the check of the file`);
      const template = body === null ? null : compileBody(body, false);
      return to.broker === 'nats'
        ? new PreparedMessage(to, template, timeout, nats as NatsServer)
        : new PreparedEntry(to, template, timeout, redis as RedisServer);
    },
  };
}

class PreparedMessage implements PreparedAction {
  readonly limits = { concurrency: NATS_CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  private readonly subject: Template;
  private readonly headers: readonly (readonly [string, Template])[];

  constructor(
    { subject, headers }: Extract<PublishTarget, { broker: 'nats' }>,
    private readonly body: Template | null,
    readonly timeout: number,
    private readonly nats: NatsServer,
  ) {
    this.subject = compileTemplate(subject, 'subject');
    this.headers = Object.entries(headers).map(([name, value]) => [name, compileTemplate(value, 'header')] as const);
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    return this.nats.publish(this.message(delivery, id, new FilledTemplates(delivery)), this.timeout);
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    const { subject, headers, body } = this.message(delivery, id, fill);
    // What the client makes of the id.
    return renderingOf({ type: 'nats', subject, headers: [['Nats-Msg-Id', id], ...headers], body }, fill);
  }

  private message(delivery: Delivery, id: string, fill: FilledTemplates): Message {
    const mark = delivery.test === undefined ? [] : [TEST_HEADER];
    const own = this.headers.map(([name, value]) => [name, fill.text(value)] as const);
    const headers = [['observers-cause', causeOf(delivery)] as const, ...traceHeaders(passedOn(delivery)), ...mark, ...own];
    const body = this.body === null ? envelopeText(delivery.event) : fill.text(this.body);
    return { id, subject: fill.text(this.subject), headers, body };
  }
}

class PreparedEntry implements PreparedAction {
  readonly limits = { concurrency: REDIS_CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  private readonly stream: Template;
  private readonly trim: readonly string[];

  constructor(
    { stream, maxLength }: Extract<PublishTarget, { broker: 'redis' }>,
    private readonly body: Template | null,
    readonly timeout: number,
    private readonly redis: RedisServer,
  ) {
    this.stream = compileTemplate(stream, 'text');
    this.trim = maxLength === null ? [] : ['MAXLEN', '~', String(maxLength)];
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    const { stream, fields } = this.entry(delivery, id, new FilledTemplates(delivery));
    return this.redis.use(this.timeout, async (redis) => {
      await redis.xadd(stream, ...this.trim, '*', ...fields.flat());
      return { ok: true, status: null };
    });
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    return renderingOf({ type: 'redis stream', ...this.entry(delivery, id, fill) }, fill);
  }

  private entry(delivery: Delivery, id: string, fill: FilledTemplates): { readonly stream: string; readonly fields: readonly Header[] } {
    const { event, test } = delivery;
    const stream = fill.text(this.stream);
    const body = this.body === null ? envelopeText(event) : fill.text(this.body);
    const mark = test === undefined ? [] : [TEST_HEADER];
    const fields: readonly Header[] = [['id', id], ['type', eventTypeName(event)], ['cause', causeOf(delivery)], ...traceHeaders(passedOn(delivery)), ...mark, ['body', body]]; // prettier-ignore
    return { stream, fields };
  }
}
