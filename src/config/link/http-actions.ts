import type { BodyTemplate, SlackActionDefinition, WebhookActionDefinition } from '../../event/definitions';
import { sendsJson } from '../../event/webhook-headers';
import { compileBody, compileTemplate } from '../../matching/template/template';
import type { Complaints, Path } from '../complaints';
import type { SlackShape, WebhookShape } from '../schema/actions';
import type { ActionPlace, LinkContext } from './context';

export function linkWebhook(
  shape: WebhookShape,
  { name, fullName, path }: ActionPlace,
  { says, endpoints }: LinkContext,
): WebhookActionDefinition {
  const { headers = {}, method = 'POST' } = shape;
  const body = (shape.body ?? null) as BodyTemplate | null;
  if (body !== null && method === 'GET') says.complain([...path, 'body'], 'a GET carries no body; leave it out, or use POST');
  const endpoint = endpoints.of(shape, fullName, path);
  endpoints.headers(headers, [...path, 'headers']);
  if (body !== null) checkBody(says, body, sendsJson({ endpoint, headers }), [...path, 'body']);
  return { type: 'webhook', name, endpoint, method, headers, body };
}

export function linkSlack(
  shape: SlackShape,
  { name, fullName, path }: ActionPlace,
  { says, endpoints }: LinkContext,
): SlackActionDefinition {
  const endpoint = endpoints.of(shape, fullName, path);
  const { text, blocks = null } = shape;
  checkBody(says, blocks === null ? { text } : { text, blocks }, true, path);
  return { type: 'slack', name, endpoint, text, blocks };
}

/** Text by text, so that each mistake has its own place; as a whole only when they are all right, for what lies between them. */
function checkBody(says: Complaints, body: BodyTemplate, json: boolean, path: Path): void {
  const before = says.problems.length;
  const visit = (part: unknown, at: Path): void => {
    if (typeof part === 'string') says.template(at, () => compileTemplate(part, 'text'));
    else if (Array.isArray(part)) part.forEach((entry, i) => visit(entry, [...at, i]));
    else if (typeof part === 'object' && part !== null) for (const [key, entry] of Object.entries(part)) visit(entry, [...at, key]);
  };
  visit(body, path);
  if (says.problems.length === before) says.template(path, () => compileBody(body, json));
}
