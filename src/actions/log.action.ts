import type { Logger } from 'pino';
import type { LogActionDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import { eventTypeName } from '../event/envelope';
import type { Outcome } from '../event/outcome';
import { compileTemplate, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import { renderingOf, type Rendering } from './rendering';

/** Writes one structured line to the service's own log. */
export function logAction(logger: Logger): ActionHandler<LogActionDefinition> {
  return { type: 'log', prepare: (definition, observer) => new PreparedLog(logger, definition, observer) };
}

class PreparedLog implements PreparedAction {
  readonly limits = { concurrency: Number.MAX_SAFE_INTEGER, rateLimit: null, circuitBreaker: null };
  readonly timeout = 1_000;
  private readonly message: Template | null;

  constructor(
    private readonly logger: Logger,
    private readonly definition: LogActionDefinition,
    private readonly observer: string,
  ) {
    this.message = definition.message === null ? null : compileTemplate(definition.message, 'text');
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    const { message, fields } = this.line(id, new FilledTemplates(delivery));
    this.logger[this.definition.level](fields, message);
    return Promise.resolve({ ok: true, status: null });
  }

  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    return renderingOf({ type: 'log', level: this.definition.level, ...this.line(id, fill) }, fill);
  }

  private line(id: string, fill: FilledTemplates): { readonly message: string; readonly fields: Readonly<Record<string, string>> } {
    const { event } = fill;
    const message = this.message === null ? `${eventTypeName(event)} ${event.entityKey}` : fill.text(this.message);
    const fields = {
      observer: this.observer,
      delivery: id,
      event: event.id,
      entity: event.entityType,
      key: event.entityKey,
      kind: event.kind,
    };
    return { message, fields };
  }
}
