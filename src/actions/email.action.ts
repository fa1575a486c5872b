import { DEFAULT_BREAKER, type EmailActionDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import { mailboxText, type Mailbox } from '../matching/template/address';
import { compileAddresses, compileTemplate, TemplateRenderError, type AddressTemplate, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import { SMTP_CONNECTIONS, type Mail, type Mailer } from '../connections/mail-server';
import { renderingOf, type Rendering } from './rendering';

/** Sends a mail. Its Message-ID is made of the delivery id, so that what is repeated after a crash can be told from a second mail. */
export function emailAction(mailer: Mailer | null): ActionHandler<EmailActionDefinition> {
  return {
    type: 'email',
    prepare(definition) {
      if (mailer === null) throw new Error('an email action without SMTP_URL got past the check of the file');
      return new PreparedEmail(definition, mailer);
    },
  };
}

class PreparedEmail implements PreparedAction {
  readonly limits = { concurrency: SMTP_CONNECTIONS, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly addresses: Readonly<Record<'from' | 'to' | 'cc' | 'bcc' | 'reply_to', readonly AddressTemplate[]>>;
  private readonly subject: Template;
  private readonly text: Template | null;
  private readonly html: Template | null;

  constructor(
    definition: EmailActionDefinition,
    private readonly mailer: Mailer,
  ) {
    const { from, to, cc, bcc, replyTo, subject, text, html, timeout } = definition;
    const plain = (source: string): Template => compileTemplate(source, 'text');
    this.timeout = timeout;
    this.addresses = {
      from: [compileAddresses(from)],
      to: to.map(compileAddresses),
      cc: cc.map(compileAddresses),
      bcc: bcc.map(compileAddresses),
      reply_to: replyTo === null ? [] : [compileAddresses(replyTo)],
    };
    this.subject = plain(subject);
    this.text = text === null ? null : plain(text);
    this.html = html === null ? null : compileTemplate(html, 'html');
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    return this.mailer.send(this.mail(delivery, id, new FilledTemplates(delivery)), this.timeout);
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    const { test, from, to, cc, bcc, replyTo, text = null, html = null, ...mail } = this.mail(delivery, id, fill);
    const lists = { to: to.map(mailboxText), cc: cc.map(mailboxText), bcc: bcc.map(mailboxText) };
    const sender = { from: mailboxText(from), replyTo: replyTo === undefined ? null : mailboxText(replyTo) };
    const notes = test ? ['with the header Observers-Test: true'] : [];
    return renderingOf({ type: 'email', ...mail, ...sender, ...lists, text, html }, fill, notes);
  }

  private mail({ test }: Delivery, id: string, fill: FilledTemplates): Mail {
    const from = this.one('from', fill);
    const to = this.all('to', fill);
    if (to.length === 0) throw new TemplateRenderError('to names nobody once it is rendered');
    const subject = fill.text(this.subject);
    if (/[\r\n]/.test(subject)) throw new TemplateRenderError('the subject holds a line break');
    return {
      messageId: `<${id}@${from.address.slice(from.address.lastIndexOf('@') + 1)}>`,
      from,
      to,
      cc: this.all('cc', fill),
      bcc: this.all('bcc', fill),
      replyTo: this.addresses.reply_to.length === 0 ? undefined : this.one('reply_to', fill),
      subject,
      text: this.text === null ? undefined : fill.text(this.text),
      html: this.html === null ? undefined : fill.text(this.html),
      test: test !== undefined,
    };
  }

  private one(field: 'from' | 'reply_to', fill: FilledTemplates): Mailbox {
    const [mailbox, ...more] = this.all(field, fill);
    if (mailbox === undefined || more.length > 0) throw new TemplateRenderError(`${field} is not one address once it is rendered`);
    return mailbox;
  }

  private all(field: keyof PreparedEmail['addresses'], fill: FilledTemplates): Mailbox[] {
    try {
      return this.addresses[field].flatMap((template) => fill.mailboxes(template));
    } catch (error) {
      if (!(error instanceof TemplateRenderError)) throw error;
      throw new TemplateRenderError(`${field}: ${error.message}`, { cause: error });
    }
  }
}
