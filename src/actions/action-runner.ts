import type { Logger } from 'pino';
import type { ActionDefinition, ObserverDefinition } from '../event/definitions';
import { idOf, type Delivery } from '../event/delivery';
import { messageOf } from '../event/errors';
import { failed, type Outcome } from '../event/outcome';
import type { Settings } from '../config/settings';
import type { OnceCalls } from './database/once';
import { TemplateRenderError } from '../matching/template/template';
import type { PreparedAction } from './action-handler';
import { cacheAction } from './cache.action';
import type { CustomActions } from './custom/custom-actions';
import { databaseAction } from './database/database.action';
import { emailAction } from './email.action';
import { HttpSenders } from '../connections/http/http-sender';
import { logAction } from './log.action';
import { Mailer } from '../connections/mail-server';
import { NatsServer } from '../connections/nats-server';
import { publishAction } from './publish.action';
import { RedisServer } from '../connections/redis-server';
import type { Rendering } from './rendering';
import { slackAction } from './slack.action';
import { PushProviders } from './push.action';
import { smsAction } from './sms.action';
import { searchAction } from './search.action';
import { SearchConnection } from '../connections/elasticsearch/connection';
import { UNTRACED, type Tracing } from '../tracing/tracing';
import { webhookAction } from './webhook.action';

/** What actions other than HTTP ones work with. */
export interface Connections {
  readonly settings: Pick<
    Settings,
    | 'redisUrl'
    | 'natsUrl'
    | 'smtpUrl'
    | 'smsUrl'
    | 'fcmCredentials'
    | 'fcmUrl'
    | 'vapidPrivateKey'
    | 'vapidSubject'
    | 'elasticsearchUrl'
    | 'elasticsearchApiKey'
    | 'elasticsearchCaFile'
  >;
  readonly custom: CustomActions;
  /** Closed with the runner. */
  readonly once: OnceCalls;
  /** Where tries have spans. */
  readonly tracing?: Tracing;
}

/** Runs single tries. Both first attempts and retries come through here, so that they cannot differ. */
export class ActionRunner {
  /** For as long as somebody has a delivery of that action. */
  private readonly prepared = new WeakMap<ActionDefinition, PreparedAction>();
  private readonly senders = new HttpSenders();
  private readonly mailer: Mailer | null;
  private readonly redis: RedisServer | null;
  private readonly nats: NatsServer | null;
  private readonly push: PushProviders;
  private readonly search: SearchConnection;
  private readonly tracing: Tracing;

  /** Prepares every action of a configuration; what it refuses, it refuses before the first event. */
  constructor(
    observers: readonly ObserverDefinition[],
    private readonly logger: Logger,
    private readonly connections: Connections,
  ) {
    const { smtpUrl, redisUrl, natsUrl } = connections.settings;
    this.redis = redisUrl === null ? null : new RedisServer(redisUrl);
    this.nats = natsUrl === null ? null : new NatsServer(natsUrl);
    this.search = new SearchConnection(connections.settings);
    this.push = new PushProviders(this.senders, connections.settings);
    this.mailer = smtpUrl === null ? null : new Mailer(smtpUrl);
    this.tracing = connections.tracing ?? UNTRACED;
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
    return this.tracing.attempt(delivery, id, (traced) => this.attempt(traced, id));
  }

  /** What a try would send, as `run` would. @throws TemplateRenderError */
  render(delivery: Delivery): Rendering {
    return this.actionOf(delivery).render(delivery, idOf(delivery));
  }

  /** Ends all connections; tries under way end as `interrupted`. */
  async close(): Promise<void> {
    this.mailer?.close();
    this.redis?.close();
    await Promise.all([this.nats?.close(), this.search.close(), this.senders.close(), this.push.close(), this.connections.once.close()]);
  }

  private async attempt(delivery: Delivery, id: string): Promise<Outcome> {
    const { event, observer, action } = delivery;
    try {
      return await this.actionOf(delivery).run(delivery, id);
    } catch (error) {
      if (error instanceof TemplateRenderError) return failed('template', error.message);
      this.logger.error({ err: error, observer: observer.name, action: action.name, event: event.id }, 'an action broke');
      return failed('internal', messageOf(error));
    }
  }

  private preparedOf(observer: string, action: ActionDefinition): PreparedAction {
    const prepared = this.prepared.get(action);
    if (prepared === undefined) throw new Error(`action ${observer}/${action.name} was not prepared`);
    return prepared;
  }

  private prepare(action: ActionDefinition, observer: string): PreparedAction {
    switch (action.type) {
      case 'webhook':
        return webhookAction(this.senders, this.tracing).prepare(action, observer);
      case 'slack':
        return slackAction(this.senders).prepare(action, observer);
      case 'database':
        return databaseAction(this.connections.once).prepare(action, observer);
      case 'email':
        return emailAction(this.mailer).prepare(action, observer);
      case 'sms':
        return smsAction(this.senders, this.connections.settings.smsUrl).prepare(action, observer);
      case 'push':
        return this.push.prepare(action);
      case 'cache':
        return cacheAction(this.redis).prepare(action, observer);
      case 'publish':
        return publishAction(this.nats, this.redis).prepare(action, observer);
      case 'custom':
        return this.connections.custom.prepare(action, this.logger);
      case 'search':
        return searchAction(this.search).prepare(action, observer);
      case 'log':
        return logAction(this.logger).prepare(action, observer);
    }
  }
}
