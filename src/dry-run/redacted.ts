import type { Content, Header } from '../actions/rendering';
import { textsIn } from '../config/redaction';
import type { ActionDefinition, Redactor } from '../event/definitions';
import { webhookHeaders } from '../event/webhook-headers';

/** What a try would send, as it may be shown: what came out of `${…}` is the reference again. */
export function redacted(content: Content, action: ActionDefinition, redaction: Redactor): Content {
  if (action.type !== 'webhook' && action.type !== 'slack') return withoutPart(redaction.all(content, textsIn(action)), content);
  if (content.type !== 'http') return content;
  const { endpoint } = action;
  const headers = action.type === 'webhook' ? webhookHeaders(action) : webhookHeaders({ endpoint, headers: {} });
  const shown = ([name, value]: Header): Header => [name, redaction.text(value, [headers.get(name) ?? ''])];
  const body = action.type === 'webhook' ? textsIn(action.body) : [action.text, ...textsIn(action.blocks)];
  return {
    ...content,
    url: redaction.text(content.url, [endpoint.url]),
    headers: content.headers.map(shown),
    body: content.body === null ? null : redaction.text(content.body, body),
  };
}

/** The id of a mail ends with a part of its sender's address, which alone is no longer what came out of the reference. */
function withoutPart(shown: Content, { ...content }: Content): Content {
  if (shown.type !== 'email' || content.type !== 'email' || shown.from === content.from) return shown;
  return { ...shown, messageId: shown.messageId.replace(/@.*/, '@…>') };
}
