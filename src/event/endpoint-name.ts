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

// No endpoint of the observers file has a blank in its name, nor `: `.
const BRANCH = ': ';

/** The name of one server of an endpoint that has many, where data says which (Web Push): limits, breaker and backlog are its own. */
export function branchOf(endpoint: string, server: string): string {
  return endpoint + BRANCH + server;
}

/** The endpoint that a branch is of; any other is its own. */
export function homeOf(name: string): string {
  return name.split(BRANCH, 1)[0] ?? name;
}
