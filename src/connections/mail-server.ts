import { mailTlsOf } from '../config/settings/connections';
import { messageOf } from '../event/errors';
import { failed, STOPPING, type Outcome } from '../event/outcome';
import type { Mailbox } from '../matching/template/address';
import { isTlsFailure, tlsMessage } from './http/tls-failure';

/** Connections to the SMTP server, kept open between mails. */
export const SMTP_CONNECTIONS = 5;

export interface Mail {
  readonly messageId: string;
  readonly from: Mailbox;
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly bcc: readonly Mailbox[];
  readonly replyTo: Mailbox | undefined;
  readonly subject: string;
  readonly text: string | undefined;
  readonly html: string | undefined;
  /** Whether it is a person's test, and says so in a header. */
  readonly test: boolean;
}

/** Sends mails through the SMTP server of the settings. */
export class Mailer {
  private transport: ReturnType<typeof transportTo> | null = null;
  private closed = false;

  constructor(private readonly url: string) {}

  /** Never rejects: what goes wrong is an outcome. @param timeout milliseconds, for dialling, greeting, and the whole */
  async send(mail: Mail, timeout: number): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => resolve(failed('timeout', `the SMTP server did not take the mail within ${timeout} ms`)), timeout);
    });
    try {
      return await Promise.race([this.attempt(mail), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Mails under way end as `interrupted`. */
  async close(): Promise<void> {
    this.closed = true;
    (await this.transport)?.close();
  }

  private async attempt({ test, ...mail }: Mail): Promise<Outcome> {
    if (this.closed) return STOPPING;
    const lists = { to: [...mail.to], cc: [...mail.cc], bcc: [...mail.bcc] };
    try {
      const headers = test ? { headers: { 'Observers-Test': 'true' } } : {};
      const transport = await (this.transport ??= transportTo(this.url));
      const subject = subjectOf(mail.subject);
      const { rejected, rejectedErrors = [], response } = await transport.sendMail({ ...mail, ...lists, ...headers, subject });
      if (rejected.length === 0) return { ok: true, status: codeOf(response) };
      // The others have it already, and would get it twice: a person decides.
      return failed(
        'smtp_rejected',
        `the mail was sent, but ${describeRejected(rejectedErrors)}; a further try sends it to all of them again`,
      );
    } catch (error) {
      return this.closed ? STOPPING : outcomeOf(error as SmtpError);
    }
  }
}

/** An encoded word has 75 characters (RFC 2047): 12 of them its frame, and base64 makes four of three bytes. */
const BYTES_OF_WORD = 45;

/** A subject that looks encoded and is not: the client would leave it alone, and who gets the mail would read something else. */
function subjectOf(text: string): string {
  if (!text.includes('=?')) return text;
  const parts: string[] = [];
  for (const sign of text.toWellFormed()) {
    const last = parts.at(-1);
    if (last === undefined || Buffer.byteLength(last + sign) > BYTES_OF_WORD) parts.push(sign);
    else parts[parts.length - 1] = last + sign;
  }
  return parts.map((part) => `=?UTF-8?B?${Buffer.from(part).toString('base64')}?=`).join(' ');
}

/** The library is loaded with the first mail: a start has no use for it. */
async function transportTo(text: string) {
  const { createTransport } = await import('nodemailer');
  const url = new URL(text);
  const tls = mailTlsOf(text);
  // Ours, and not the client's.
  url.searchParams.delete('tls');
  return createTransport({
    url: url.href,
    // Whoever stands between could otherwise take the server's offer of STARTTLS away, and would be told user and password.
    requireTLS: tls === 'required',
    ignoreTLS: tls === 'none',
    pool: true,
    maxConnections: SMTP_CONNECTIONS,
    // A text of the file or of the data is a text, never the name of a file to attach or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

interface SmtpError extends Error {
  readonly code?: string | undefined;
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly recipient?: string | undefined;
}

const NO_STARTTLS =
  'the SMTP server offers no TLS (STARTTLS), or somebody on the way takes the offer away; nothing was sent. Where it is meant to be reached in clear, say so in SMTP_URL: ?tls=none';

function outcomeOf(error: SmtpError): Outcome {
  const { code = '', responseCode, response } = error;
  if (/STARTTLS/.test(error.message) && (responseCode ?? 500) >= 500 && !isTlsFailure(code))
    return failed('tls', NO_STARTTLS, { status: responseCode ?? null });
  if (responseCode !== undefined) {
    const kind = responseCode < 500 ? 'smtp_temporary' : code === 'EAUTH' ? 'configuration' : 'smtp_rejected';
    const what =
      code === 'EAUTH' ? 'the SMTP server does not accept the user and password in SMTP_URL' : 'the SMTP server refused the mail';
    return failed(kind, `${what} (${responseCode})`, { status: responseCode, excerpt: response?.slice(0, 1024) ?? null });
  }
  if (code === 'EENVELOPE') return failed('smtp_rejected', messageOf(error));
  if (code === 'ENOAUTH' || code === 'EAUTH' || code === 'EOAUTH2')
    return failed('configuration', `SMTP_URL lacks what the server asks for: ${messageOf(error)}`);
  if (code === 'ETLS' || isTlsFailure(code) || /certificate/i.test(error.message)) return failed('tls', tlsMessage(error));
  if (code === 'EDNS') return failed('dns', messageOf(error));
  if (code === 'ETIMEDOUT') return failed('timeout', messageOf(error));
  return failed('connection', messageOf(error));
}

/** Later and never are told apart: for whom the server said later, it was not asked again. */
function describeRejected(errors: readonly SmtpError[]): string {
  const named = (kind: 'deferred' | 'refused'): string[] => {
    const those = errors.filter(({ responseCode = 500 }) => responseCode < 500 === (kind === 'deferred'));
    const recipients = those.map(({ recipient = 'one', responseCode }) => `${recipient} (${responseCode ?? 'no reply'})`);
    return recipients.length === 0 ? [] : [`the SMTP server ${kind} ${recipients.join(', ')}`];
  };
  return [...named('refused'), ...named('deferred').map((text) => `${text}, who did not get it`)].join(', and ');
}

function codeOf(response: string): number | null {
  const code = parseInt(response, 10);
  return Number.isNaN(code) ? null : code;
}
