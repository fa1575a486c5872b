import type { WebhookActionDefinition } from '../event/definitions';
import { sendsJson, webhookHeaders } from '../event/webhook-headers';
import { compileBody } from '../matching/template/template';
import type { ActionHandler } from './action-handler';
import { BatchedRequest } from './batched-request';
import type { HttpSenders } from '../connections/http/http-sender';
import { signer } from '../connections/http/signature';
import { TemplatedRequest } from './templated-request';
import type { Tracing } from '../tracing/tracing';

/** Sends the envelope, or a body of the observer's own, to an HTTP endpoint, signed as Standard Webhooks says; one by one, or in batches. */
export function webhookAction(senders: HttpSenders, tracing: Tracing): ActionHandler<WebhookActionDefinition> {
  return {
    type: 'webhook',
    prepare(definition, observer) {
      const { endpoint, method, body, batch, name } = definition;
      const request = {
        endpoint,
        method,
        headers: webhookHeaders(definition),
        body: body === null ? null : compileBody(body, sendsJson(definition)),
        sign: endpoint.signingSecrets.length > 0 ? signer(endpoint.signingSecrets) : null,
      };
      const sender = senders.for(endpoint);
      return batch === null
        ? new TemplatedRequest(request, sender)
        : new BatchedRequest(request, batch, `${observer}/${name}`, sender, tracing);
    },
  };
}
