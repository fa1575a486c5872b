import type { ObserverDefinition } from '../event/definitions';
import { endpointNameOf } from '../event/endpoint-name';

/** What the configuration says about where deliveries wait, and in which order. */
export interface Order {
  /** Observers whose ordering is strict. */
  readonly strict: readonly string[];
  /** The endpoint of every action. */
  readonly homes: readonly { readonly observer: string; readonly action: string; readonly endpoint: string }[];
}

export function orderOf(observers: readonly ObserverDefinition[]): Order {
  return {
    strict: observers.filter(({ ordering }) => ordering === 'strict').map(({ name }) => name),
    homes: observers.flatMap(({ name: observer, actions }) =>
      actions.map((action) => ({ observer, action: action.name, endpoint: endpointNameOf(action) })),
    ),
  };
}
