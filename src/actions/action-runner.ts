import type { Logger } from 'pino';
import type { ActionDefinition, ObserverDefinition } from '../event/definitions';
import { idOf, type Delivery } from '../event/delivery';
import { messageOf } from '../event/errors';
import { failed, withoutSecrets, type Outcome } from '../event/outcome';
import { TemplateRenderError } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { actionTypes, type ActionParts } from './action-types';
import type { Rendering } from './rendering';

/** Runs single tries. Both first attempts and retries come through here, so that they cannot differ. */
export class ActionRunner {
  /** For as long as somebody has a delivery of that action. */
  private readonly prepared = new WeakMap<ActionDefinition, PreparedAction>();
  private readonly types: ReturnType<typeof actionTypes>;

  /** Prepares every action of a configuration; what it refuses, it refuses before the first event. */
  constructor(
    observers: readonly ObserverDefinition[],
    private readonly logger: Logger,
    private readonly parts: ActionParts,
  ) {
    this.types = actionTypes(parts, logger);
    this.prepareAll(observers);
  }

  /** Prepares the actions of one more version of the configuration. */
  prepareAll(observers: readonly ObserverDefinition[]): void {
    for (const observer of observers) {
      for (const action of observer.actions) this.prepared.set(action, this.prepare(action, observer.name));
    }
  }

  actionOf({ observer, action }: Delivery): PreparedAction {
    return this.preparedOf(observer.name, action);
  }

  /** Those of these observers. */
  actionsOf(observers: readonly ObserverDefinition[]): (readonly [ActionDefinition, PreparedAction])[] {
    return observers.flatMap(({ name, actions }) => actions.map((action) => [action, this.preparedOf(name, action)] as const));
  }

  /** One try. Never rejects: broken plumbing is an `internal` outcome, logged with its stack, and tried again. */
  run(delivery: Delivery): Promise<Outcome> {
    const id = idOf(delivery);
    return this.parts.tracing.attempt(delivery, id, (traced) => this.attempt(traced, id));
  }

  /** What a try would send, as `run` would. @throws TemplateRenderError */
  render(delivery: Delivery): Rendering {
    return this.actionOf(delivery).render(delivery, idOf(delivery));
  }

  /** Ends all connections; tries under way end as `interrupted`. */
  async close(): Promise<void> {
    const { connections, once } = this.parts;
    await Promise.all([connections.close(), this.types.push.close(), once.close()]);
  }

  private async attempt(delivery: Delivery, id: string): Promise<Outcome> {
    const { event, observer, action } = delivery;
    try {
      return withoutSecrets(await this.actionOf(delivery).run(delivery, id));
    } catch (error) {
      if (error instanceof TemplateRenderError) return withoutSecrets(failed('template', error.message));
      this.logger.error({ err: error, observer: observer.name, action: action.name, event: event.id }, 'an action broke');
      return withoutSecrets(failed('internal', messageOf(error)));
    }
  }

  private preparedOf(observer: string, action: ActionDefinition): PreparedAction {
    const prepared = this.prepared.get(action);
    if (prepared === undefined) throw new Error(`action ${observer}/${action.name} was not prepared`);
    return prepared;
  }

  private prepare(action: ActionDefinition, observer: string): PreparedAction {
    // The table has for each type what takes its definitions; the types cannot say that of a type that is not known here.
    const handler = this.types[action.type] as ActionHandler<ActionDefinition>;
    return handler.prepare(action, observer);
  }
}
