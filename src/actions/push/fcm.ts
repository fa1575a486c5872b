import { TEST_HEADER } from '../../event/webhook-headers';
import type { FcmCredentials } from '../../config/fcm-credentials';
import { DEFAULT_BREAKER, type EndpointDefinition, type FcmPushDefinition } from '../../event/definitions';
import { passedOn, type Delivery } from '../../event/delivery';
import type { Failed, Outcome } from '../../event/outcome';
import { traceHeaders } from '../../event/trace-context';
import { compileBody, compileTemplate, TemplateRenderError, type Template } from '../../matching/template/template';
import type { PreparedAction } from '../action-handler';
import { FilledTemplates } from '../fill';
import type { HttpRequest, HttpSender, HttpSenders } from '../../connections/http/http-sender';
import { httpContent, renderingOf, type Rendering } from '../rendering';
import { AccessTokens } from './access-token';

const CONCURRENCY = 32;

/** What FCM's error codes mean to an operator; its own words may hold what was sent. */
const MEANINGS: Readonly<Record<string, string>> = {
  UNREGISTERED: 'the app was removed from the device, or its token is stale',
  INVALID_ARGUMENT: 'the token or the message is malformed',
  SENDER_ID_MISMATCH: 'the token belongs to another Firebase project',
  QUOTA_EXCEEDED: 'too many messages',
  UNAVAILABLE: 'the service is overloaded',
  INTERNAL: 'the service broke',
  THIRD_PARTY_AUTH_ERROR: "the project's APNs certificate or web push key is missing or wrong",
};

/** Access tokens of one account, shared by all actions. */
export class Fcm {
  private readonly tokens: AccessTokens;

  constructor(
    private readonly credentials: FcmCredentials,
    private readonly url: string,
  ) {
    this.tokens = new AccessTokens(credentials);
  }

  prepare(definition: FcmPushDefinition, senders: HttpSenders): PreparedAction {
    const path = `/v1/projects/${encodeURIComponent(this.credentials.projectId)}/messages:send`;
    return new PreparedFcm(definition, this.url, path, senders.for(endpointOf(this.url, definition.timeout)), this.tokens);
  }
}

function endpointOf(url: string, timeout: number): EndpointDefinition {
  return {
    name: 'fcm',
    url,
    headers: {},
    signingSecrets: [],
    auth: null,
    timeout,
    concurrency: CONCURRENCY,
    rateLimit: null,
    circuitBreaker: DEFAULT_BREAKER,
    // Named by whoever runs the service, as the database is.
    allowAddresses: [new URL(url).hostname.replace(/^\[|\]$/g, '')],
    tls: null,
    proxy: null,
  };
}

class PreparedFcm implements PreparedAction {
  readonly limits = { concurrency: CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly body: Template;
  private readonly target: Template;

  constructor(
    { target, notification, data, ttl, timeout }: FcmPushDefinition,
    private readonly url: string,
    private readonly path: string,
    private readonly sender: HttpSender,
    private readonly tokens: AccessTokens,
  ) {
    this.timeout = timeout;
    // The body has the same text: what fits no topic is refused before it is made.
    this.target = compileTemplate(target.value, target.kind === 'condition' ? 'topic' : 'text');
    const message = {
      [target.kind]: target.value,
      ...(notification === null ? {} : { notification }),
      ...(Object.keys(data).length === 0 ? {} : { data }),
      ...(ttl === null ? {} : { android: { ttl: `${ttl / 1_000}s` }, webpush: { headers: { TTL: String(Math.round(ttl / 1_000)) } } }),
    };
    this.body = compileBody({ message }, true);
  }

  async run(delivery: Delivery): Promise<Outcome> {
    const request = this.request(delivery, new FilledTemplates(delivery));
    const [first, token] = await this.send(request);
    // A token may be revoked before its time; a second refusal is final.
    if (first.ok || first.status !== 401 || codeOf(first) === 'THIRD_PARTY_AUTH_ERROR') return explained(first);
    this.tokens.forget(token);
    const [second] = await this.send(request);
    return explained(second);
  }

  render(delivery: Delivery): Rendering {
    const fill = new FilledTemplates(delivery);
    const request = withToken(this.request(delivery, fill), '');
    return renderingOf(httpContent(this.url, request, { authorization: '(a token of the service account, fetched when sent)' }), fill);
  }

  private request(delivery: Delivery, fill: FilledTemplates): HttpRequest {
    if (this.target.render(fill.event).text.trim() === '') throw new TemplateRenderError('the recipient is empty once it is rendered');
    const headers = ['content-type', 'application/json', ...traceHeaders(passedOn(delivery)).flat()];
    if (delivery.test !== undefined) headers.push(...TEST_HEADER);
    return { path: this.path, method: 'POST', headers, body: Buffer.from(fill.text(this.body)) };
  }

  private async send(request: HttpRequest): Promise<[Outcome, string]> {
    const token = await this.tokens.get();
    if (typeof token !== 'string') return [token, ''];
    return [await this.sender.send(withToken(request, token)), token];
  }
}

function withToken(request: HttpRequest, token: string): HttpRequest {
  return { ...request, headers: ['authorization', `Bearer ${token}`, ...request.headers] };
}

function codeOf({ excerpt }: Failed): string | null {
  const text = excerpt ?? '';
  // The precise word stands in the details; `status` is the general one.
  return /"errorCode"\s*:\s*"([A-Z_]{1,50})"/.exec(text)?.[1] ?? /"status"\s*:\s*"([A-Z_]{1,50})"/.exec(text)?.[1] ?? null;
}

/** With FCM's code, and without its words: they hold what was sent. */
function explained(outcome: Outcome): Outcome {
  if (outcome.ok || outcome.status === null) return outcome;
  const code = codeOf(outcome);
  if (code === null) return { ...outcome, excerpt: null };
  return {
    ...outcome,
    message: `${outcome.message}: ${code}, ${MEANINGS[code] ?? 'see the documentation of FCM'}`,
    excerpt: `{"errorCode":"${code}"}`,
  };
}
