import { CommandRunner, Option } from 'nest-commander';
import type { CustomActions } from '../actions/custom/custom-actions';
import type { LoadedConfiguration, LoadInput } from '../config/load';
import type { Settings } from '../config/settings';
import type { ObserversDefinition } from '../event/definitions';

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

/** What settings and observers file are loaded from. */
export function loadInputOf({ config }: GlobalOptions): LoadInput {
  return { env: process.env, ...(config === undefined ? {} : { configFile: config }) };
}

/** Settings and observers file, for commands that need both. @throws ConfigurationError with every problem at once */
export async function configurationOf(options: GlobalOptions): Promise<LoadedConfiguration> {
  const { configuration, custom } = await runnableConfigurationOf(options);
  await custom.close();
  return configuration;
}

/** The same, with the user's own modules, which the caller closes. */
export async function runnableConfigurationOf(
  options: GlobalOptions,
): Promise<{ readonly configuration: LoadedConfiguration; readonly custom: CustomActions }> {
  const { loadConfiguration, modulesOf } = await import('../config/load');
  const { loadCustomActions } = await import('../actions/custom/load-modules');
  const input = loadInputOf(options);
  const custom = await loadCustomActions(modulesOf(input));
  try {
    return { configuration: loadConfiguration({ ...input, custom }), custom };
  } catch (error) {
    await custom.close();
    throw error;
  }
}

/** Reads texts of the observers file (null: the file as it is) to look at them: secrets need not be at hand. What it gives throws ConfigurationError. */
export async function definitionReader(options: GlobalOptions, settings: Settings): Promise<(text: string | null) => ObserversDefinition> {
  const { readDefinition } = await import('../config/load');
  const input = loadInputOf(options);
  return (text) => readDefinition(input, settings, text);
}
