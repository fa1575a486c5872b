import pino, { type Logger } from 'pino';
import type { CustomActionDefinition } from '../../event/definitions';
import { causeOf } from '../../event/cause';
import { passedOn, type Delivery } from '../../event/delivery';
import { envelopeText } from '../../event/envelope';
import { isStackOverflow, messageOf } from '../../event/errors';
import { failed, type Outcome } from '../../event/outcome';
import type { CustomActionTypes, OptionProblem } from '../../config/custom-action-types';
import { compileTemplate, TemplateRenderError } from '../../matching/template/template';
import type { PreparedAction } from '../action-handler';
import type { Rendering } from '../rendering';
import type { CustomActionHandler, CustomActionRun, CustomDelivery, OptionsSchema, RenderedCustomAction } from './custom-action';

/** The action types of the user's own modules. */
export class CustomActions implements CustomActionTypes {
  /** @param close ends what the modules have opened */
  constructor(
    private readonly handlers: ReadonlyMap<string, CustomActionHandler>,
    readonly close: () => Promise<void>,
  ) {}

  get names(): readonly string[] {
    return [...this.handlers.keys()];
  }

  problemsOf(name: string, options: unknown): readonly OptionProblem[] {
    const handler = this.handlerOf(name);
    const checked = check(handler.options, options);
    if ('problems' in checked) return checked.problems;
    try {
      prepareRun(handler, name, checked.value, SILENT);
      return [];
    } catch (error) {
      return [{ path: [], message: messageOf(error) }];
    }
  }

  /** @param logger what the action writes its own lines to */
  prepare({ handler: name, options, ...definition }: CustomActionDefinition, logger: Logger): PreparedAction {
    const handler = this.handlerOf(name);
    const checked = check(handler.options, options);
    if ('problems' in checked) throw new Error(`options of the custom action ${name} got past the check of the file`);
    return new PreparedCustom({ ...definition, handler: name }, prepareRun(handler, name, checked.value, logger));
  }

  private handlerOf(name: string): CustomActionHandler {
    const handler = this.handlers.get(name);
    if (handler === undefined) throw new Error(`the custom action ${name} is not registered`);
    return handler;
  }
}

const SILENT = pino({ level: 'silent' });

type Prepared = ReturnType<CustomActionHandler['prepare']>;

function prepareRun(handler: CustomActionHandler, name: string, options: unknown, logger: Logger): Prepared {
  return handler.prepare(options, { template: compileTemplate, logger: logger.child({ custom: name }) });
}

export const NO_CUSTOM_ACTIONS = new CustomActions(new Map(), () => Promise.resolve());

type Checked = { readonly value: unknown } | { readonly problems: readonly OptionProblem[] };

function check(schema: OptionsSchema<unknown> | undefined, options: unknown): Checked {
  if (schema === undefined) return { value: options };
  const result = schema['~standard'].validate(options);
  if (result instanceof Promise)
    return { problems: [{ path: [], message: 'the schema of its options answers later; it must answer at once' }] };
  if (result.issues === undefined) return { value: result.value };
  const problems = result.issues.map(({ message, path = [] }) => ({
    path: path.map((step) => keyOf(typeof step === 'object' ? step.key : step)),
    message,
  }));
  return { problems };
}

function keyOf(key: PropertyKey): string | number {
  return typeof key === 'number' ? key : String(key);
}

class PreparedCustom implements PreparedAction {
  readonly limits: CustomActionDefinition['limits'];
  readonly timeout: number;

  private readonly handler: string;
  private readonly attempt: CustomActionRun;
  private readonly rendered: RenderedCustomAction['render'] | null;

  constructor({ limits, timeout, handler }: Pick<CustomActionDefinition, 'limits' | 'timeout' | 'handler'>, prepared: Prepared) {
    this.limits = limits;
    this.timeout = timeout;
    this.handler = handler;
    this.attempt = typeof prepared === 'function' ? prepared : (delivery, signal) => prepared.run(delivery, signal);
    this.rendered = typeof prepared === 'function' ? null : (delivery) => prepared.render(delivery);
  }

  render(delivery: Delivery, id: string): Rendering {
    const { handler } = this;
    if (this.rendered === null) {
      const note = `a custom action is not rendered: ${handler} has no method render`;
      return { content: { type: 'custom', handler, rendered: null }, missing: [], notes: [note] };
    }
    let rendered: unknown;
    try {
      rendered = JSON.parse(JSON.stringify(this.rendered(given(delivery, id)) ?? null));
    } catch (error) {
      throw error instanceof TemplateRenderError
        ? error
        : new TemplateRenderError(
            `${handler} cannot be rendered: ${isStackOverflow(error) ? 'what it gives is nested too deep' : messageOf(error)}`,
          );
    }
    return { content: { type: 'custom', handler, rendered }, missing: [], notes: [] };
  }

  async run(delivery: Delivery, id: string): Promise<Outcome> {
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => {
        resolve(failed('timeout', `the action did not end within ${this.timeout} ms`));
        controller.abort();
      }, this.timeout);
    });
    try {
      const outcome = await Promise.race([this.attempt(given(delivery, id), controller.signal), late]);
      if (!isOutcome(outcome)) throw new TypeError('a custom action ended without an outcome; return succeeded(), retry(…) or refused(…)');
      return outcome;
    } finally {
      clearTimeout(timer);
    }
  }
}

function given(delivery: Delivery, id: string): CustomDelivery {
  const { event, observer, action, attempt, test } = delivery;
  return {
    id,
    event,
    envelope: envelopeText(event),
    observer: observer.name,
    action: action.name,
    attempt,
    cause: causeOf(delivery),
    test: test !== undefined,
    trace: passedOn(delivery),
  };
}

/** It is code of somebody else, and may be JavaScript. */
function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'object' && value !== null && typeof (value as { ok?: unknown }).ok === 'boolean';
}
