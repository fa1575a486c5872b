import { TEST_HEADER } from '../event/webhook-headers';
import type { EndpointDefinition, SmsActionDefinition } from '../event/definitions';
import { DEFAULT_BREAKER } from '../event/definitions';
import { passedOn, type Delivery } from '../event/delivery';
import type { Failed, Outcome } from '../event/outcome';
import { traceHeaders } from '../event/trace-context';
import { compileTemplate, TemplateRenderError, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import { splitUrl, type HttpRequest, type HttpSender, type HttpSenders } from '../connections/http/http-sender';
import { httpContent, renderingOf, type Rendering } from './rendering';

/** Messages being handed over to the provider at once. */
const CONCURRENCY = 10;
/** Ten segments, the provider's limit: what is longer is refused there with 21617. */
const LONGEST = 1_600;
const E164 = /^\+[1-9]\d{6,14}$/;

/** What the provider's codes mean to an operator; its own words may hold the number. */
const MEANINGS: Readonly<Record<number, string>> = {
  20003: 'the credentials of OBSERVERS_SMS_URL are refused',
  20404: 'there is no such account',
  20429: 'too many requests',
  21211: 'the recipient is not a valid phone number',
  21212: 'the sender is not a valid phone number',
  21408: 'sending to this region is not enabled for the account',
  21606: 'the sender does not belong to the account, or cannot send',
  21608: 'a trial account sends to verified numbers only',
  21610: 'the recipient has unsubscribed',
  21612: 'there is no route from this sender to the recipient',
  21614: 'the recipient is not a mobile number',
  21617: 'the message is too long',
  30022: 'too many requests',
};

/** Sends a text message through an API like Twilio's, which knows no idempotency key: what is repeated after a crash arrives twice. */
export function smsAction(senders: HttpSenders, url: string | null): ActionHandler<SmsActionDefinition> {
  return {
    type: 'sms',
    prepare(definition) {
      if (url === null) throw new Error('an sms action without OBSERVERS_SMS_URL got past the check of the file');
      const account = accountOf(url);
      return new PreparedSms(definition, account, senders.for(endpointOf(account, definition.timeout)));
    },
  };
}

interface Account {
  readonly endpoint: string;
  readonly host: string;
  readonly authorization: string;
}

/** `https://ACCOUNT:TOKEN@host`, or with an API key `https://KEY:SECRET@host/ACCOUNT`. */
function accountOf(url: string): Account {
  const { username, password, pathname, origin, hostname } = new URL(url);
  const account = pathname.replace(/\//g, '') || username;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    endpoint: `${origin}/2010-04-01/Accounts/${account}/Messages.json`,
    host: hostname.replace(/^\[|\]$/g, ''),
    authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

function endpointOf({ endpoint, host }: Account, timeout: number): EndpointDefinition {
  return {
    name: 'sms',
    url: endpoint,
    headers: {},
    signingSecrets: [],
    auth: null,
    timeout,
    concurrency: CONCURRENCY,
    rateLimit: null,
    circuitBreaker: DEFAULT_BREAKER,
    // Named by whoever runs the service, as the database is.
    allowAddresses: [host],
    tls: null,
    proxy: null,
  };
}

class PreparedSms implements PreparedAction {
  readonly limits = { concurrency: CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly to: Template;
  private readonly from: Template;
  private readonly text: Template;

  constructor(
    { to, from, text, timeout }: SmsActionDefinition,
    private readonly account: Account,
    private readonly sender: HttpSender,
  ) {
    this.timeout = timeout;
    this.to = compileTemplate(to, 'text');
    this.from = compileTemplate(from, 'text');
    this.text = compileTemplate(text, 'text');
  }

  async run(delivery: Delivery): Promise<Outcome> {
    const outcome = await this.sender.send(this.request(delivery, new FilledTemplates(delivery)));
    return outcome.ok ? outcome : explained(outcome);
  }

  render(delivery: Delivery): Rendering {
    const fill = new FilledTemplates(delivery);
    return renderingOf(httpContent(this.account.endpoint, this.request(delivery, fill), WITHHELD), fill);
  }

  private request(delivery: Delivery, fill: FilledTemplates): HttpRequest {
    const body = Buffer.from(this.form(fill).toString());
    const { authorization, endpoint } = this.account;
    const headers = ['authorization', authorization, 'content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json'];
    headers.push(...traceHeaders(passedOn(delivery)).flat());
    if (delivery.test !== undefined) headers.push(...TEST_HEADER);
    return { path: splitUrl(endpoint)[1], method: 'POST', headers, body };
  }

  private form(fill: FilledTemplates): URLSearchParams {
    const to = fill.text(this.to).trim();
    // Not the value itself: it is payload.
    if (!E164.test(to)) throw new TemplateRenderError('to is not one phone number such as +15551234567 once it is rendered');
    const text = fill.text(this.text);
    if (text.trim() === '') throw new TemplateRenderError('the text is empty once it is rendered');
    if (text.length > LONGEST) throw new TemplateRenderError(`the text has ${text.length} characters, and a message may have ${LONGEST}`);
    const from = fill.text(this.from).trim();
    return new URLSearchParams({ To: to, [/^MG[\da-f]{32}$/i.test(from) ? 'MessagingServiceSid' : 'From']: from, Body: text });
  }
}

const WITHHELD = { authorization: '(of OBSERVERS_SMS_URL)' };

/** With the provider's code, and without its words and its answer: they hold the number. */
function explained(outcome: Failed): Failed {
  const code = Number(/"code"\s*:\s*(\d{4,6})\b/.exec(outcome.excerpt ?? '')?.[1] ?? NaN);
  if (Number.isNaN(code)) return { ...outcome, excerpt: null };
  const meaning = MEANINGS[code] ?? 'see the documentation of the provider';
  return { ...outcome, message: `${outcome.message}: error ${code}, ${meaning}`, excerpt: `{"code":${code}}` };
}
