import { Option } from 'nest-commander';
import { FilteredCommand, type FilterFlags } from './filter-options';

/** The option of commands that try something once more. */
export const CONFIG_CHOICE = {
  flags: '--config-version <which>',
  description: 'current (default): with the configuration that runs; original: with the one that it died with',
  choices: ['current', 'original'],
};

/** How a command that acts on many items is told which. */
export interface SetFlags extends FilterFlags {
  readonly dryRun?: boolean;
  readonly token?: string;
  readonly yes?: boolean;
  readonly force?: boolean;
}

/** The options of commands that act on many items: first a look, then a token. */
export abstract class SetCommand extends FilteredCommand {
  @Option({ flags: '--dry-run', description: 'change nothing; print count, sample and token' })
  parseDryRun(): boolean {
    return true;
  }

  @Option({ flags: '--token <token>', description: 'the set of a dry run' })
  parseToken(value: string): string {
    return value;
  }

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  @Option({ flags: '--force', description: 'do not ask' })
  parseForce(): boolean {
    return true;
  }
}

/** Whether it has been said already that it may act. */
export function mayAct({ yes = false, force = false }: SetFlags): boolean {
  return yes || force;
}
