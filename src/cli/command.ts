import { CommandRunner, Help, Option } from 'nest-commander';
import type { CustomActions } from '../actions/custom/custom-actions';
import type { LoadedConfiguration, LoadInput } from '../config/load';
import type { VersionText } from '../config/rules';
import type { Settings } from '../config/settings';
import { ExitCode, OperatorError } from '../event/errors';
import type { ObserversDefinition } from '../event/definitions';
import { exampleLines, examplesOf, noteExamples, type Command, type Example } from './program';

export interface GlobalOptions {
  readonly config?: string;
  readonly format?: 'text' | 'json';
  readonly verbose?: boolean;
  /** Flag of `start`. */
  readonly logLevel?: string;
}

/** What every command has: the options that all take. A command loads the modules it needs when it runs: it must start in a moment. */
export abstract class ObserversCommand extends CommandRunner {
  /** Shown by --help; a test feeds each to the parser. */
  protected abstract readonly examples: readonly Example[];

  override setCommand(command: Command): this {
    noteExamples(command, this.examples);
    return super.setCommand(command);
  }

  @Help('after')
  helpAfter(): string {
    return exampleLines(this.examples);
  }

  @Option({ flags: '-c, --config <file>', description: 'the observers file (default: observers.yaml, or OBSERVERS_CONFIG)' })
  parseConfig(value: string): string {
    return value;
  }

  @Option({ flags: '--format <format>', description: 'text or json', choices: ['text', 'json'] })
  parseFormat(value: string): string {
    return value;
  }

  @Option({ flags: '--verbose', description: 'when something goes wrong, also its causes and where in the program it happened' })
  parseVerbose(): boolean {
    return true;
  }
}

/** A command that only has others beneath it. Without options of its own: it would swallow those of its subcommands. */
export abstract class CommandGroup extends CommandRunner {
  /** The first example of each. */
  @Help('after')
  helpAfter(): string {
    return exampleLines(this.command.commands.flatMap((command) => examplesOf(command).slice(0, 1)));
  }

  async run([given]: string[]): Promise<void> {
    if (given === undefined) return this.command.help();
    const { didYouMean } = await import('../config/problems');
    const names = this.command.commands.map((command) => command.name());
    const path = `${this.command.name()} ${given}`;
    throw new OperatorError(
      `unknown command '${path}'${didYouMean(given, names)}`,
      `What there is: ${names.map((name) => `${this.command.name()} ${name}`).join(', ')}`,
      ExitCode.error,
    );
  }
}

/** Flags that stand for a setting. The table itself is loaded by whoever needs it. */
const SETTING_OF = { logLevel: 'OBSERVERS_LOG_LEVEL' } as const;

/** What settings and observers file are loaded from. */
export function loadInputOf({ config, logLevel }: GlobalOptions): LoadInput {
  const flags = logLevel === undefined ? {} : { flags: { [SETTING_OF.logLevel]: logLevel } };
  return { env: process.env, ...flags, ...(config === undefined ? {} : { configFile: config }) };
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

/** Reads versions of the observers file (null: the file as it is) to look at them: secrets need not be at hand. What it gives throws ConfigurationError. */
export async function definitionReader(
  options: GlobalOptions,
  settings: Settings,
): Promise<(version: VersionText | null) => ObserversDefinition> {
  const { readDefinition } = await import('../config/load');
  const input = loadInputOf(options);
  return (version) => readDefinition(input, settings, version);
}

/** The file may be elsewhere, or wrong, where what is asked for needs none of it. */
export function readOrNull(read: () => ObserversDefinition): ObserversDefinition | null {
  try {
    return read();
  } catch {
    return null;
  }
}
