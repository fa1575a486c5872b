import { CommandRunner, Option } from 'nest-commander';
import type { LoadedConfiguration } from '../config/load';

export interface GlobalOptions {
  readonly config?: string;
  readonly format?: 'text' | 'json';
  readonly verbose?: boolean;
}

/** What every command has: the options that all take. A command loads the modules it needs when it runs: it must start in a moment. */
export abstract class ObserversCommand extends CommandRunner {
  @Option({ flags: '-c, --config <file>', description: 'the observers file (default: observers.yaml, or OBSERVERS_CONFIG)' })
  parseConfig(value: string): string {
    return value;
  }

  @Option({ flags: '--format <format>', description: 'text or json', choices: ['text', 'json'] })
  parseFormat(value: string): string {
    return value;
  }

  @Option({ flags: '--verbose', description: 'more detail when something goes wrong' })
  parseVerbose(): boolean {
    return true;
  }
}

/** Settings and observers file, for commands that need both. @throws ConfigurationError with every problem at once */
export async function configurationOf(options: GlobalOptions): Promise<LoadedConfiguration> {
  const { loadConfiguration } = await import('../config/load');
  return loadConfiguration({ env: process.env, ...(options.config === undefined ? {} : { configFile: options.config }) });
}
