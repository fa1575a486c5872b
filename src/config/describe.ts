import type {
  ActionDefinition,
  CacheActionDefinition,
  EndpointDefinition,
  ObserverDefinition,
  ObserversDefinition,
  Redactor,
  RetryPolicy,
  Timing,
  PublishTarget,
} from '../event/definitions';
import { counted } from '../event/counted';
import type { LoadedConfiguration } from './load';
import { CONFIG_VARIABLE, SETTINGS, type SettingName } from './settings';
import type { Setting } from './settings/kinds';
import type { Origin } from './settings/resolve';
import { formatDuration } from './units';

export interface SettingDescription {
  readonly variable: string;
  /** Secrets are dots. */
  readonly value: string;
  readonly origin: Origin;
  readonly description: string;
}

export function describeSettings({ settings, origins, file }: LoadedConfiguration): SettingDescription[] {
  const table = (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    return { variable: setting.variable, value: setting.show(settings[name]), origin: origins[name], description: setting.description };
  });
  return [{ variable: CONFIG_VARIABLE, value: file.path, origin: file.origin, description: 'the observers file' }, ...table];
}

export interface ObserverDescription {
  readonly name: string;
  readonly entities: string;
  readonly on: string;
  readonly when: string;
  /** When its deliveries go. */
  readonly goes: string;
  readonly actions: readonly string[];
  readonly retry: string;
}

/** In words, without anything that may be secret: of a URL only the host. */
export function describeObservers({ observers, redaction }: ObserversDefinition): ObserverDescription[] {
  return observers.map(({ name, mode, entities, when, actions, retry, onFailure, ordering, ...narrowing }) => ({
    name,
    entities: entities === '*' ? 'all' : entities.join(', '),
    on: redaction.text(describeKinds(narrowing), narrowing.columns ?? []),
    when: when === null ? 'always' : redaction.text(when, [when]),
    goes: describeTiming(narrowing, redaction),
    actions: actions.map(describeAction),
    retry:
      mode === 'shadow'
        ? 'nothing is sent: it is in shadow'
        : `${describeRetry(retry)}; then ${ordering === 'strict' ? 'its lane is parked' : FATES[onFailure]}`,
  }));
}

/** `insert, update of status`. */
export function describeKinds({
  kinds,
  columns,
  ignoreUnchanged,
}: Pick<ObserverDefinition, 'kinds' | 'columns' | 'ignoreUnchanged'>): string {
  const which = columns !== null ? ` of ${columns.join(' or ')}` : ignoreUnchanged ? '' : ' (also one that changes nothing)';
  return kinds.map((kind) => (kind === 'update' ? `update${which}` : kind)).join(', ');
}

function describeTiming({ timing, cancelWhen }: Pick<ObserverDefinition, 'timing' | 'cancelWhen'>, redaction: Redactor): string {
  const unless = cancelWhen === undefined ? '' : `, unless ${redaction.text(cancelWhen, [cancelWhen])} meanwhile`;
  return `${whenItGoes(timing, redaction)}${unless}`;
}

function whenItGoes(timing: Timing | undefined, redaction: Redactor): string {
  switch (timing?.is) {
    case undefined:
      return 'at once';
    case 'delay':
      return `${formatDuration(timing.wait)} after the change`;
    case 'deliver_at':
      return `at ${redaction.text(timing.template, [timing.template])}`;
    case 'debounce': {
      const { key, wait, maxWait } = timing;
      return `${formatDuration(wait)} after the last change of ${redaction.text(key, [key])}, ${formatDuration(maxWait)} after the first at the latest`;
    }
  }
}

const FATES = { dlq: 'the dead letter queue', log: 'a line in the log', alert: 'the dead letter queue and an alert' } as const;

function describeAction(action: ActionDefinition): string {
  switch (action.type) {
    case 'webhook': {
      const signed = action.endpoint.signingSecrets.length > 0 ? 'signed' : 'unsigned';
      const { batch } = action;
      const batched = batch === null ? '' : `, in batches of up to ${batch.max} within ${formatDuration(batch.within)}`;
      return `${action.name}: ${action.method} ${describeEndpoint(action.endpoint, signed)}${batched}`;
    }
    case 'slack':
      return `${action.name}: a Slack message by ${describeEndpoint(action.endpoint, action.blocks === null ? 'text' : 'blocks')}`;
    case 'email':
      return `${action.name}: an email to ${action.to.join(', ')} (timeout ${formatDuration(action.timeout)})`;
    case 'sms':
      return `${action.name}: a text message to ${action.to} (timeout ${formatDuration(action.timeout)})`;
    case 'push': {
      const to = action.to.provider === 'fcm' ? `Firebase ${action.to.target.kind}` : 'Web Push subscription';
      return `${action.name}: a push to a ${to} (timeout ${formatDuration(action.timeout)})`;
    }
    case 'cache':
      return `${action.name}: ${describeCache(action)} in Redis (timeout ${formatDuration(action.timeout)})`;
    case 'publish':
      return `${action.name}: a message to ${describeTarget(action.to)} (timeout ${formatDuration(action.timeout)})`;
    case 'database':
      return `${action.name}: ${action.function}(envelope) in the database, exactly once (timeout ${formatDuration(action.timeout)})`;
    case 'custom':
      return `${action.name}: ${action.handler}, of a module (timeout ${formatDuration(action.timeout)}, ${action.limits.concurrency} at once)`;
    case 'search': {
      const does = { auto: 'a document', index: 'a document', update: 'a merged document', delete: 'a deletion' }[action.operation];
      return `${action.name}: ${does} in the index ${action.index} (timeout ${formatDuration(action.timeout)})`;
    }
    case 'log':
      return `${action.name}: a log line at level ${action.level}`;
  }
}

function describeTarget(to: PublishTarget): string {
  switch (to.broker) {
    case 'nats':
      return `the subject ${to.subject} of NATS`;
    case 'redis':
      return `the stream ${to.stream} of Redis`;
    case 'kafka':
      return `the topic ${to.topic} of Kafka`;
    case 'rabbitmq': {
      const exchange = to.exchange === '' ? 'the default exchange' : `the exchange ${to.exchange}`;
      return `${exchange} of RabbitMQ${to.routingKey === '' ? '' : ` with the routing key ${to.routingKey}`}`;
    }
  }
}

function describeCache({ keys, patterns, set }: CacheActionDefinition): string {
  const removed = [...keys, ...patterns.map((pattern) => `all of ${pattern}`)];
  const written = set === null ? [] : [`sets ${set.key} ${set.ttl === null ? 'for good' : `for ${formatDuration(set.ttl)}`}`];
  return [...(removed.length > 0 ? [`removes ${removed.join(', ')}`] : []), ...written].join(' and ');
}

function describeEndpoint({ url, timeout, concurrency, auth, proxy }: EndpointDefinition, what: string): string {
  const by = auth === null ? '' : auth.type === 'oauth2' ? `, with a token of ${hostOf(auth.tokenUrl)}` : ', with AWS SigV4';
  const through = proxy === null ? '' : `, through the proxy ${hostOf(proxy)}`;
  return `${hostOf(url.replace(/\{[{%][\s\S]*$/, ''))} (${what}${by}, timeout ${formatDuration(timeout)}, ${concurrency} at once${through})`;
}

/** In a file that is only looked at, a reference may stand where the host would. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : (/^(?:\w+:\/\/)?(?:[^/@]*@)?([^/?#]*)/.exec(url)?.[1] ?? '');
}

function describeRetry({ strategy, maxAttempts, initialDelay, maxDelay, maxElapsed, schedule }: RetryPolicy): string {
  const within = maxElapsed === null ? '' : `, within ${formatDuration(maxElapsed)}`;
  if (strategy === 'schedule') return `after ${schedule.map(formatDuration).join(', ')}${within}`;
  const delays =
    strategy === 'fixed'
      ? `every ${formatDuration(initialDelay)}`
      : `${strategy} from ${formatDuration(initialDelay)} to ${formatDuration(maxDelay)}`;
  return `${counted(maxAttempts, 'attempt')}, ${delays}${within}`;
}
