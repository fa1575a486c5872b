import type {
  BodyTemplate,
  EndpointDefinition,
  SlackActionDefinition,
  WebhookActionDefinition,
  WebhookBatch,
} from '../../event/definitions';
import { sendsJson } from '../../event/webhook-headers';
import { compileBody, hasTags } from '../../matching/template/template';
import type { FileProblems, Path } from '../file-problems';
import type { SlackShape, WebhookShape } from '../schema/actions';
import { durationOf } from '../units';
import { checkAuthHeaders } from './auth';
import { checkBody, type ActionPlace, type LinkContext } from './context';

export function linkWebhook(
  shape: WebhookShape,
  { name, fullName, path }: ActionPlace,
  { problems, endpoints }: LinkContext,
): WebhookActionDefinition {
  const { headers = {}, method = 'POST' } = shape;
  const body = (shape.body ?? null) as BodyTemplate | null;
  if (body !== null && method === 'GET') problems.add([...path, 'body'], 'a GET carries no body; leave it out, or use POST');
  const batch = shape.batch === undefined ? null : batchOf(shape.batch);
  const endpoint = endpoints.of(shape, fullName, path, batch?.max);
  endpoints.headers(headers, [...path, 'headers']);
  checkAuthHeaders(problems, endpoint.auth, headers, [...path, 'headers']);
  if (body !== null) checkBody(problems, body, () => compileBody(body, sendsJson({ endpoint, headers })), [...path, 'body']);
  if (batch !== null) checkBatch(problems, shape, endpoint, path);
  return { type: 'webhook', name, endpoint, method, headers, body, batch };
}

const DEFAULT_BATCH = { max: 100, within: '50ms' } as const;

function batchOf({ max = DEFAULT_BATCH.max, within = DEFAULT_BATCH.within }: NonNullable<WebhookShape['batch']>): WebhookBatch {
  return { max, within: durationOf(within) };
}

/** A batch is one request for many events: only its body can speak of each. */
function checkBatch(
  problems: FileProblems,
  { method, body, headers = {}, ...shape }: WebhookShape,
  endpoint: EndpointDefinition,
  path: Path,
): void {
  const at = [...path, 'batch'];
  if (method === 'GET') problems.add(at, 'a GET carries no body, and hence no batch');
  if (typeof body === 'string' && !sendsJson({ endpoint, headers }))
    problems.add(at, 'a batch is a JSON array: it goes with the envelope or a JSON body, not with a text');
  const fixed = 'with batch it may not hold {{ }}: the request is made of many events';
  if (hasTags(endpoint.url)) problems.add([...path, shape.url === undefined ? 'endpoint' : 'url'], `the url: ${fixed}`);
  for (const [header, value] of Object.entries(headers)) if (hasTags(value)) problems.add([...path, 'headers', header], fixed);
  for (const [header, value] of Object.entries(endpoint.headers))
    if (hasTags(value)) problems.add([...path, 'endpoint'], `the endpoint's header ${header}: ${fixed}`);
}

export function linkSlack(
  shape: SlackShape,
  { name, fullName, path }: ActionPlace,
  { problems, endpoints }: LinkContext,
): SlackActionDefinition {
  const endpoint = endpoints.of(shape, fullName, path);
  // Slack reads no signature, so a secret here would guard nothing.
  if (endpoint.signingSecrets.length > 0) problems.add([...path, 'endpoint'], 'Slack reads no signature: name an endpoint without signing');
  const { text, blocks = null } = shape;
  const message = blocks === null ? { text } : { text, blocks };
  checkBody(problems, message, () => compileBody(message, true), path);
  return { type: 'slack', name, endpoint, text, blocks };
}
