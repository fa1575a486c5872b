import type { ActionDefinition, ObserverDefinition } from '../event/definitions';
import type { ErrorKind } from '../event/outcome';

type ActionType = ActionDefinition['type'];

/** Of the service itself, whatever the action is. */
const OWN: readonly ErrorKind[] = ['template', 'lookup', 'configuration', 'internal'];
const REMOTE: readonly ErrorKind[] = ['timeout', 'connection', 'tls', 'network', 'dns', 'blocked_address'];
const HTTP: readonly ErrorKind[] = [...REMOTE, 'http_status', 'redirect', 'gone', 'proxy'];

/** Where the endpoint fetches tokens. */
const TOKEN: readonly ErrorKind[] = ['token', 'token_refused'];

/** What tries of an action can fail with, beside what is our own fault. */
const OF_TYPE: Readonly<Record<ActionType, readonly ErrorKind[]>> = {
  webhook: [...HTTP, 'batch_refused'],
  slack: HTTP,
  sms: HTTP,
  push: HTTP,
  search: [...HTTP, 'unavailable', 'refused'],
  email: [...REMOTE, 'smtp_temporary', 'smtp_rejected'],
  cache: [...REMOTE, 'unavailable', 'refused'],
  publish: [...REMOTE, 'unavailable', 'refused'],
  database: ['timeout', 'connection', 'database_temporary', 'database_error'],
  custom: ['timeout', 'connection', 'refused'],
  log: [],
};

function ofAction(action: ActionDefinition): readonly ErrorKind[] {
  const withToken = (action.type === 'webhook' || action.type === 'slack') && action.endpoint.auth?.type === 'oauth2';
  return [...OF_TYPE[action.type], ...(withToken ? TOKEN : [])];
}

/** A counter of which the first scrape sees the first increase is no use to `increase()`: so these begin at 0. */
export function triesFailWith(action: ActionDefinition): readonly ErrorKind[] {
  return [...OWN, 'interrupted', ...ofAction(action)];
}

/** What an observer's deliveries can die of. */
export function diesOf({ actions }: ObserverDefinition): readonly ErrorKind[] {
  return [...new Set<ErrorKind>([...OWN, 'condition', 'loop', 'lane', ...actions.flatMap(ofAction)])];
}
