import { REDIS_CONCURRENCY, type RedisServer } from '../../connections/redis-server';
import { causeOf } from '../../event/cause';
import { DEFAULT_BREAKER, type PublishTo } from '../../event/definitions';
import type { Delivery } from '../../event/delivery';
import { eventTypeName } from '../../event/envelope';
import type { Outcome } from '../../event/outcome';
import { compileTemplate, type Template } from '../../matching/template/template';
import type { PreparedAction } from '../action-handler';
import { FilledTemplates } from '../fill';
import { renderingOf, type Header, type Rendering } from '../rendering';
import { bodyOf, marksOf, type MessageParts } from './message';

/** An entry of a Redis stream. */
export class PreparedEntry implements PreparedAction {
  readonly limits = { concurrency: REDIS_CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly stream: Template;
  private readonly trim: readonly string[];

  constructor(
    { stream, maxLength }: PublishTo<'redis'>,
    private readonly parts: MessageParts,
    private readonly redis: RedisServer,
  ) {
    this.timeout = parts.timeout;
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
    const stream = fill.text(this.stream);
    const body = bodyOf(this.parts, delivery, fill);
    const fields: readonly Header[] = [['id', id], ['type', eventTypeName(delivery.event)], ['cause', causeOf(delivery)], ...marksOf(delivery), ['body', body]]; // prettier-ignore
    return { stream, fields };
  }
}
