import { TEST_HEADER } from '../event/webhook-headers';
import type { EndpointDefinition, EndpointLimits, WebhookActionDefinition } from '../event/definitions';
import { causeOf } from '../event/cause';
import { passedOn, type Delivery } from '../event/delivery';
import { envelopeText } from '../event/envelope';
import type { Outcome } from '../event/outcome';
import { traceHeaders } from '../event/trace-context';
import { compileTemplate, type Template } from '../matching/template/template';
import type { PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import { splitUrl, type HttpRequest, type HttpSender } from '../connections/http/http-sender';
import { renderingOf, shownContent, type Rendering } from './rendering';
import type { signer } from '../connections/http/signature';

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
    return this.sender.send(this.request(delivery, id, new FilledTemplates(delivery)));
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    return renderingOf(shownContent(this.template.endpoint, this.request(delivery, id, fill)), fill);
  }

  private request(delivery: Delivery, id: string, fill: FilledTemplates): HttpRequest {
    const { event } = delivery;
    const { method, body: template, sign } = this.template;
    const timestamp = Math.floor(this.sender.clock.now() / 1_000);
    const headers: string[] = ['webhook-id', id, 'webhook-timestamp', String(timestamp), 'observers-cause', causeOf(delivery)];
    if (delivery.test !== undefined) headers.push(...TEST_HEADER);
    for (const [name, value] of this.headers) headers.push(name, fill.text(value));
    const path = fill.text(this.path);
    const body = method === 'GET' ? null : Buffer.from(template === null ? envelopeText(event) : fill.text(template));
    if (sign !== null) headers.push('webhook-signature', sign(id, timestamp, body ?? NOTHING));
    headers.push(...traceHeaders(passedOn(delivery)).flat());
    return { path, method, headers, body };
  }
}

const NOTHING = Buffer.alloc(0);
