import { TEST_HEADER } from '../../event/webhook-headers';
import { createECDH } from 'node:crypto';
import type { PushSubscription, RequestDetails } from 'web-push';
import { DEFAULT_BREAKER, type EndpointDefinition, type WebPushDefinition } from '../../event/definitions';
import { passedOn, type Delivery } from '../../event/delivery';
import { messageOf } from '../../event/errors';
import type { Failed, Outcome } from '../../event/outcome';
import { traceHeaders } from '../../event/trace-context';
import { compileBody, compileTemplate, TemplateRenderError, type Template } from '../../matching/template/template';
import type { PreparedAction } from '../action-handler';
import { FilledTemplates } from '../fill';
import { OriginSenders } from '../../connections/http/origin-senders';
import { renderingOf, type Header, type Rendering } from '../rendering';

const CONCURRENCY = 32;
/** Characters of a host's name (RFC 1035). The name becomes that of an endpoint, which stands in an index. */
const LONGEST_HOST = 253;
/** What fits into the 4096 bytes that a push service must take, encrypted. */
const LARGEST = 3_993;
const DEFAULT_TTL = 28 * 86_400;

/** The server's identity towards push services (RFC 8292). */
export interface Vapid {
  /** 32 bytes, base64url. */
  readonly privateKey: string;
  /** `mailto:` or `https:`. */
  readonly subject: string;
}

/** Messages to browsers (RFC 8030), encrypted for each (RFC 8291). Where they go is told by data, so the guard of addresses matters twice. */
export class WebPush {
  private readonly vapid: Vapid & { readonly publicKey: string };
  private readonly prepared: PreparedWebPush[] = [];

  constructor(vapid: Vapid) {
    const key = createECDH('prime256v1');
    key.setPrivateKey(Buffer.from(vapid.privateKey, 'base64url'));
    this.vapid = { ...vapid, publicKey: key.getPublicKey('base64url') };
  }

  prepare(definition: WebPushDefinition): PreparedAction {
    const prepared = new PreparedWebPush(definition, this.vapid);
    this.prepared.push(prepared);
    return prepared;
  }

  async close(): Promise<void> {
    await Promise.all(this.prepared.map((one) => one.close()));
  }
}

interface Message {
  readonly subscription: PushSubscription;
  readonly body: string;
}

class PreparedWebPush implements PreparedAction {
  readonly limits = { concurrency: CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly subscription: Template;
  private readonly body: Template;
  private readonly senders: OriginSenders;

  constructor(
    private readonly definition: WebPushDefinition,
    private readonly vapid: Vapid & { readonly publicKey: string },
  ) {
    const { subscription, notification, data, timeout } = definition;
    this.timeout = timeout;
    this.subscription = compileTemplate(subscription, 'text');
    this.body = compileBody(
      { ...(notification === null ? {} : { notification }), ...(Object.keys(data).length === 0 ? {} : { data }) },
      true,
    );
    this.senders = new OriginSenders((origin) => endpointOf(origin, definition));
  }

  async run(delivery: Delivery): Promise<Outcome> {
    return this.send(await this.encrypted(this.message(new FilledTemplates(delivery))), [
      ...traceHeaders(passedOn(delivery)).flat(),
      ...(delivery.test === undefined ? [] : TEST_HEADER),
    ]);
  }

  /** The message as the browser will read it: encrypted it is another one each time. */
  render(delivery: Delivery): Rendering {
    const fill = new FilledTemplates(delivery);
    const { subscription, body } = this.message(fill);
    const { urgency, ttl } = this.options;
    const headers: Header[] = [
      ['ttl', String(ttl)],
      ['urgency', urgency],
      ['content-encoding', 'aes128gcm'],
      ['content-type', 'application/octet-stream'],
      ['authorization', '(signed with OBSERVERS_VAPID_PRIVATE_KEY when sent)'],
      ...traceHeaders(passedOn(delivery)),
      ...(delivery.test === undefined ? [] : [TEST_HEADER]),
    ];
    const content = { type: 'http', method: 'POST', url: subscription.endpoint, headers, body } as const;
    return renderingOf(content, fill, ['the body is encrypted for the browser when it is sent']);
  }

  /** One push service that is down holds up its own messages. */
  serverOf(delivery: Delivery): string | null {
    try {
      return new URL(this.subscriptionOf(new FilledTemplates(delivery)).endpoint).origin;
    } catch {
      // The try says what is wrong with it.
      return null;
    }
  }

  close(): Promise<void> {
    return this.senders.close();
  }

  private subscriptionOf(fill: FilledTemplates): PushSubscription {
    return parseSubscription(fill.text(this.subscription), this.definition.allowAddresses.length > 0);
  }

  private message(fill: FilledTemplates): Message {
    const subscription = this.subscriptionOf(fill);
    const body = fill.text(this.body);
    const size = Buffer.byteLength(body);
    if (size > LARGEST) throw new TemplateRenderError(`the message has ${size} bytes, and push services take ${LARGEST}`);
    return { subscription, body };
  }

  private get options(): { readonly ttl: number; readonly urgency: NonNullable<WebPushDefinition['urgency']> } {
    const { ttl, urgency } = this.definition;
    return { ttl: ttl === null ? DEFAULT_TTL : Math.round(ttl / 1_000), urgency: urgency ?? 'normal' };
  }

  private async encrypted({ subscription, body }: Message): Promise<RequestDetails> {
    // Loaded with the first message: a start has no use for it.
    const { generateRequestDetails } = await import('web-push');
    const { ttl: TTL, urgency } = this.options;
    try {
      return generateRequestDetails(subscription, body, { vapidDetails: this.vapid, TTL, urgency, contentEncoding: 'aes128gcm' });
    } catch (error) {
      // A key of the wrong length, or one that is no point on the curve.
      throw new TemplateRenderError(`the subscription cannot be encrypted for: ${messageOf(error)}`);
    }
  }

  private async send({ endpoint, headers, body }: RequestDetails, more: readonly string[]): Promise<Outcome> {
    const { origin, pathname, search } = new URL(endpoint);
    const list = Object.entries(headers).filter(([name]) => name !== 'Content-Length').flatMap(([name, value]) => [name.toLowerCase(), String(value)]); // prettier-ignore
    list.push(...more);
    const outcome = await this.senders.send(origin, { path: pathname + search, method: 'POST', headers: list, body });
    return outcome.ok ? outcome : explained(outcome);
  }
}

function endpointOf(origin: string, { timeout, allowAddresses }: WebPushDefinition): EndpointDefinition {
  return {
    name: 'web push',
    url: origin,
    headers: {},
    signingSecrets: [],
    auth: null,
    timeout,
    concurrency: CONCURRENCY,
    rateLimit: null,
    circuitBreaker: null,
    allowAddresses,
    tls: null,
    proxy: null,
  };
}

/** As browsers give it out. Without its content in any message: it is payload, and whoever has it may push. */
function parseSubscription(text: string, plainAllowed: boolean): PushSubscription {
  let parsed: { endpoint?: unknown; keys?: { p256dh?: unknown; auth?: unknown } } | null;
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch {
    throw new TemplateRenderError('the subscription is not JSON once it is rendered');
  }
  const { endpoint, keys } = parsed ?? {};
  if (typeof endpoint !== 'string' || typeof keys?.p256dh !== 'string' || typeof keys.auth !== 'string')
    throw new TemplateRenderError('the subscription lacks endpoint, keys.p256dh or keys.auth');
  const { protocol = '', username = '', password = '', hostname = '' } = URL.canParse(endpoint) ? new URL(endpoint) : {};
  const isHttp = protocol === 'https:' || (protocol === 'http:' && plainAllowed);
  if (!isHttp || username + password !== '' || hostname.length > LONGEST_HOST)
    throw new TemplateRenderError('the endpoint of the subscription is not an https URL');
  return { endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth } };
}

/** A subscription that has ended is the user's decision, and final. */
function explained(outcome: Failed): Failed {
  if (outcome.status === 404 || outcome.status === 410)
    return { ...outcome, error: 'http_status', message: `the subscription has ended (${outcome.status}): remove it`, excerpt: null };
  if (outcome.status === 401 || outcome.status === 403)
    return {
      ...outcome,
      message: `${outcome.message}: the subscription was made for another key than that of OBSERVERS_VAPID_PRIVATE_KEY`,
    };
  return outcome;
}
