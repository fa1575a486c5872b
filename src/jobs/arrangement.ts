import type { ObserverDefinition } from '../event/definitions';
import { endpointNameOf, homeOf } from '../event/endpoint-name';

/** What the configuration says about where deliveries wait, and in which order. */
export interface Arrangement {
  /** Observers whose ordering is strict. */
  readonly strict: readonly string[];
  /** The endpoint of every action. */
  readonly homes: readonly { readonly observer: string; readonly action: string; readonly endpoint: string }[];
}

export function arrangementOf(observers: readonly ObserverDefinition[]): Arrangement {
  return {
    strict: observers.filter(({ ordering }) => ordering === 'strict').map(({ name }) => name),
    homes: observers.flatMap(({ name: observer, actions }) =>
      actions.map((action) => ({ observer, action: action.name, endpoint: endpointNameOf(action) })),
    ),
  };
}

/**
 * Tells of a delivery that waits at `endpoint` whether this order puts it elsewhere, or orders it in another way. Never of one whose action
 * it does not have: that one ends as it began.
 */
export function movesBy({
  strict,
  homes,
}: Arrangement): (observer: string, action: string, endpoint: string, isStrict: boolean) => boolean {
  const strictOnes = new Set(strict);
  const endpoints = new Map(homes.map(({ observer, action, endpoint }) => [`${observer}\n${action}`, endpoint]));
  return (observer, action, endpoint, isStrict) => {
    const home = endpoints.get(`${observer}\n${action}`);
    return home !== undefined && (home !== homeOf(endpoint) || strictOnes.has(observer) !== isStrict);
  };
}
