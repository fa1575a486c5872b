import type { Delivery } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import type { Mailbox } from '../matching/template/address';
import type { AddressTemplate, Template } from '../matching/template/template';

const NOTHING: readonly string[] = [];

/** Fills in the templates of one delivery, and remembers which values it lacked. */
export class FilledTemplates {
  /** As they are written in the templates: `customer.email`. */
  missing = NOTHING;

  readonly event: EntityEvent;
  private readonly strict: boolean;

  constructor({ event, observer }: Pick<Delivery, 'event' | 'observer'>) {
    this.event = event;
    this.strict = observer.strictTemplates;
  }

  /** @throws TemplateRenderError */
  text(template: Template): string {
    const { text, missing } = template.render(this.event, this.strict);
    this.note(missing);
    return text;
  }

  /** @throws TemplateRenderError */
  mailboxes(template: AddressTemplate): readonly Mailbox[] {
    const { mailboxes, missing } = template.render(this.event, this.strict);
    this.note(missing);
    return mailboxes;
  }

  private note(missing: readonly string[]): void {
    if (missing.length > 0) this.missing = [...this.missing, ...missing];
  }
}
