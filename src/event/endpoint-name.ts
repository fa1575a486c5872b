import type { ActionDefinition } from './action-definitions';

/** What limits, breaker and backlog of an action belong to: its endpoint's name, or the server that all actions of its kind share. */
export function endpointNameOf(action: ActionDefinition): string {
  switch (action.type) {
    case 'webhook':
    case 'slack':
      return action.endpoint.name;
    case 'email':
      return 'smtp';
    case 'push':
      return action.to.provider;
    case 'cache':
      return 'redis';
    case 'publish':
      return action.to.broker;
    case 'custom':
      return action.endpoint;
    case 'sms':
    case 'search':
    case 'database':
    case 'log':
      return action.type;
  }
}
