import type { EndpointDefinition, EndpointLimits, WebhookActionDefinition } from '../event/definitions';
import { causeOf } from '../event/cause';
import type { Delivery } from '../event/delivery';
import { envelopeText } from '../event/envelope';
import type { Outcome } from '../event/outcome';
import { compileTemplate, type Template } from '../matching/template/template';
import type { PreparedAction } from './action-handler';
import { splitUrl, type HttpSender } from './http-sender';
import type { signer } from './signature';

export interface RequestTemplate {
  readonly endpoint: EndpointDefinition;
  readonly method: WebhookActionDefinition['method'];
  readonly headers: ReadonlyMap<string, string>;
  /** Null: the envelope. */
  readonly body: Template | null;
  /** Null: unsigned. */
  readonly sign: ReturnType<typeof signer> | null;
}

/** One HTTP request per delivery, made of templates: what webhooks and the services that speak HTTP have in common. */
export class TemplatedRequest implements PreparedAction {
  readonly limits: EndpointLimits;
  readonly timeout: number;
  private readonly path: Template;
  private readonly headers: readonly (readonly [string, Template])[];

  constructor(
    private readonly template: RequestTemplate,
    private readonly sender: HttpSender,
  ) {
    const { endpoint, headers } = template;
    this.limits = endpoint;
    this.timeout = endpoint.timeout;
    this.path = compileTemplate(splitUrl(endpoint.url)[1], 'url');
    this.headers = [...headers].map(([name, value]) => [name, compileTemplate(value, 'header')] as const);
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    const { event } = delivery;
    const { method, body: template, sign } = this.template;
    const timestamp = Math.floor(Date.now() / 1_000);
    const headers: string[] = ['webhook-id', id, 'webhook-timestamp', String(timestamp), 'observers-cause', causeOf(delivery)];
    for (const [name, value] of this.headers) headers.push(name, value.render(event).text);
    const path = this.path.render(event).text;
    const body = method === 'GET' ? null : Buffer.from(template === null ? envelopeText(event) : template.render(event).text);
    if (sign !== null) headers.push('webhook-signature', sign(id, timestamp, body ?? NOTHING));
    if (event.traceparent !== null && TRACEPARENT.test(event.traceparent)) headers.push('traceparent', event.traceparent);
    return this.sender.send({ path, method, headers, body });
  }
}

const NOTHING = Buffer.alloc(0);
// An application may have stored anything; only what is a traceparent goes into a header.
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;
