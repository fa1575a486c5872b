import addressParser from 'nodemailer/lib/addressparser';
import { DEFAULT_BREAKER, type EmailActionDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import { compileTemplate, TemplateRenderError, type Template } from '../matching/template/template';
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
  private readonly addresses: Readonly<Record<'from' | 'to' | 'cc' | 'bcc' | 'reply_to', readonly Template[]>>;
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
      from: [plain(from)],
      to: to.map(plain),
      cc: cc.map(plain),
      bcc: bcc.map(plain),
      reply_to: replyTo === null ? [] : [plain(replyTo)],
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
    const { test, replyTo = null, text = null, html = null, ...mail } = this.mail(delivery, id, fill);
    return renderingOf({ type: 'email', ...mail, replyTo, text, html }, fill, test ? ['with the header Observers-Test: true'] : []);
  }

  private mail({ test }: Delivery, id: string, fill: FilledTemplates): Mail {
    const [from = ''] = this.rendered('from', fill);
    const [replyTo] = this.rendered('reply_to', fill);
    const subject = fill.text(this.subject);
    if (/[\r\n]/.test(subject)) throw new TemplateRenderError('the subject holds a line break');
    return {
      messageId: `<${id}@${/@([^\s>]+)/.exec(from)?.[1] ?? 'fraiseql-observers'}>`,
      from,
      to: this.rendered('to', fill),
      cc: this.rendered('cc', fill),
      bcc: this.rendered('bcc', fill),
      replyTo,
      subject,
      text: this.text === null ? undefined : fill.text(this.text),
      html: this.html === null ? undefined : fill.text(this.html),
      test: test !== undefined,
    };
  }

  /** A value from data could otherwise add recipients: `a@b.example, everybody@b.example`. */
  private rendered(field: keyof PreparedEmail['addresses'], fill: FilledTemplates): string[] {
    return this.addresses[field].map((template) => {
      const text = fill.text(template);
      const found = addressParser(text, { flatten: true });
      // Not the text itself: it is payload.
      if (found.length !== 1 || !/^[^\s@]+@[^\s@]+$/.test(found[0]?.address ?? '') || /[\r\n]/.test(text))
        throw new TemplateRenderError(`${field} is not one address once it is rendered`);
      return text;
    });
  }
}
