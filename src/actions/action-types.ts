import type { Logger } from 'pino';
import type { TermConnections } from '../connections/term-connections';
import type { ActionDefinition } from '../event/definitions';
import type { Tracing } from '../tracing/tracing';
import type { ActionHandler } from './action-handler';
import { cacheAction } from './cache.action';
import type { CustomActions } from './custom/custom-actions';
import { databaseAction } from './database/database.action';
import type { OnceCalls } from './database/once';
import { emailAction } from './email.action';
import { logAction } from './log.action';
import { publishAction } from './publish.action';
import { PushProviders } from './push.action';
import { searchAction } from './search.action';
import { slackAction } from './slack.action';
import { smsAction } from './sms.action';
import { webhookAction } from './webhook.action';

/** The connections and services that actions work with. The runner closes its connections and calls; the rest outlives it. */
export interface ActionParts {
  readonly connections: TermConnections;
  readonly once: OnceCalls;
  readonly custom: CustomActions;
  /** Where tries have spans. */
  readonly tracing: Tracing;
}

export type ActionTypes = {
  readonly [Type in ActionDefinition['type']]: ActionHandler<Extract<ActionDefinition, { readonly type: Type }>>;
};

/** The one table of action types: a new one is a file and a line. */
export function actionTypes(
  { connections, once, custom, tracing }: ActionParts,
  logger: Logger,
): ActionTypes & { readonly push: PushProviders } {
  const { senders, settings, mailer, redis, search } = connections;
  return {
    webhook: webhookAction(senders, tracing),
    slack: slackAction(senders),
    database: databaseAction(once),
    email: emailAction(mailer),
    sms: smsAction(senders, settings.smsUrl),
    push: new PushProviders(senders, settings),
    cache: cacheAction(redis),
    publish: publishAction(connections),
    search: searchAction(search),
    log: logAction(logger),
    custom: { type: 'custom', prepare: (definition) => custom.prepare(definition, logger) },
  };
}
