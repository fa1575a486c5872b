import type { ConfigChoice } from './redrive.sql';

/** For people, and for an item's history. */
export function usedConfiguration(config: ConfigChoice): string {
  return `with the ${config} configuration`;
}
