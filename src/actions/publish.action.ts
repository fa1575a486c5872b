import { DEFAULT_BREAKER, type PublishActionDefinition, type PublishTarget } from '../event/definitions';
import { causeOf } from '../event/cause';
import type { Delivery } from '../event/delivery';
import { envelopeText, eventTypeName } from '../event/envelope';
import type { Outcome } from '../event/outcome';
import { compileBody, compileTemplate, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { NATS_CONCURRENCY, type NatsServer } from './nats-server';
import { REDIS_CONCURRENCY, type RedisServer } from './redis-server';

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
    const { event } = delivery;
    const own = this.headers.map(([name, value]) => [name, value.render(event).text] as const);
    const headers = [['observers-cause', causeOf(delivery)] as const, ...own];
    const body = this.body?.render(event).text ?? envelopeText(event);
    return this.nats.publish({ id, subject: this.subject.render(event).text, headers, body }, this.timeout);
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
    const { event } = delivery;
    const stream = this.stream.render(event).text;
    const body = this.body?.render(event).text ?? envelopeText(event);
    const fields = ['id', id, 'type', eventTypeName(event), 'cause', causeOf(delivery), 'body', body];
    return this.redis.use(this.timeout, async (redis) => {
      await redis.xadd(stream, ...this.trim, '*', ...fields);
      return { ok: true, status: null };
    });
  }
}
