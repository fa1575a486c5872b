import { shellWord } from './shell-word';

/** A strict lane: one entity's deliveries to one action. */
export interface LaneName {
  readonly observer: string;
  readonly action: string;
  readonly entityType: string;
  readonly entityKey: string;
}

/** The options that name exactly this lane to `lanes resume`, `skip` and `dead-letter`, to be pasted into a shell. */
export function laneOptions({ observer, action, entityType, entityKey }: LaneName): string {
  const options = [['--observer', observer], ['--action', action], ['--entity-type', entityType], ['--entity-key', entityKey]] as const; // prettier-ignore
  // What begins like an option, or is empty, is a value only behind an equals sign.
  return options.map(([flag, value]) => `${flag}${/^(-|$)/.test(value) ? '=' : ' '}${shellWord(value)}`).join(' ');
}
