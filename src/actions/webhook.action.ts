import type { WebhookActionDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import { envelopeText } from '../event/envelope';
import { failed, type Outcome } from '../event/outcome';
import { sendsJson, webhookHeaders } from '../event/webhook-headers';
import { compileBody, compileTemplate, TemplateRenderError, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { splitUrl, type HttpSender, type HttpSenders } from './http-sender';
import { signer } from './signature';

/** Sends the envelope, or a body of the observer's own, to an HTTP endpoint, signed as Standard Webhooks says. */
export function webhookAction(senders: HttpSenders): ActionHandler<WebhookActionDefinition> {
  return { type: 'webhook', prepare: (definition) => new PreparedWebhook(definition, senders.for(definition.endpoint)) };
}

class PreparedWebhook implements PreparedAction {
  readonly endpoint: string;
  readonly concurrency: number;
  readonly timeout: number;
  private readonly path: Template;
  private readonly headers: readonly (readonly [string, Template])[];
  private readonly body: Template | null;
  private readonly sign: ReturnType<typeof signer> | null;

  constructor(
    private readonly definition: WebhookActionDefinition,
    private readonly sender: HttpSender,
  ) {
    const { endpoint } = definition;
    this.endpoint = endpoint.name;
    this.concurrency = endpoint.concurrency;
    this.timeout = endpoint.timeout;
    this.path = compileTemplate(splitUrl(endpoint.url)[1], 'url');
    this.headers = [...webhookHeaders(definition)].map(([name, value]) => [name, compileTemplate(value, 'header')] as const);
    this.body = definition.body === null ? null : compileBody(definition.body, sendsJson(definition));
    this.sign = endpoint.signingSecrets.length > 0 ? signer(endpoint.signingSecrets) : null;
  }

  run({ event }: Delivery, id: string): Promise<Outcome> {
    const timestamp = Math.floor(Date.now() / 1_000);
    const headers: string[] = ['webhook-id', id, 'webhook-timestamp', String(timestamp)];
    let path: string;
    let body: Buffer | null;
    try {
      for (const [name, value] of this.headers) headers.push(name, value.render(event).text);
      path = this.path.render(event).text;
      body = this.definition.method === 'GET' ? null : Buffer.from(this.body === null ? envelopeText(event) : this.body.render(event).text);
    } catch (error) {
      if (error instanceof TemplateRenderError) return Promise.resolve(failed('template', error.message));
      throw error;
    }
    if (this.sign !== null) headers.push('webhook-signature', this.sign(id, timestamp, body ?? NOTHING));
    if (event.traceparent !== null && TRACEPARENT.test(event.traceparent)) headers.push('traceparent', event.traceparent);
    return this.sender.send({ path, method: this.definition.method, headers, body });
  }
}

const NOTHING = Buffer.alloc(0);
// An application may have stored anything; only what is a traceparent goes into a header.
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;
