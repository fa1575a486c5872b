import type { SlackActionDefinition } from '../event/definitions';
import { webhookHeaders } from '../event/webhook-headers';
import { compileSlackMessage } from '../matching/template/template';
import type { ActionHandler } from './action-handler';
import type { HttpSenders } from '../connections/http/http-sender';
import { TemplatedRequest } from './templated-request';

/** Posts a message to a Slack incoming webhook. Slack answers 200 `ok`, 4xx with a word such as `invalid_blocks`, and 429 with Retry-After. */
export function slackAction(senders: HttpSenders): ActionHandler<SlackActionDefinition> {
  return {
    type: 'slack',
    prepare({ endpoint, text, blocks }) {
      const body = compileSlackMessage(blocks === null ? { text } : { text, blocks });
      const request = { endpoint, method: 'POST', headers: webhookHeaders({ endpoint, headers: {} }), body, sign: null } as const;
      return new TemplatedRequest(request, senders.for(endpoint));
    },
  };
}
