import { Command, Option } from 'nest-commander';
import { ExitCode } from '../event/errors';
import { configurationOf, ObserversCommand, type GlobalOptions } from './command';
import { colors, print, printJson } from './output';

@Command({ name: 'validate-config', arguments: '[file]', description: 'check an observers file: every problem at once, with its place' })
export class ValidateConfigCommand extends ObserversCommand {
  protected readonly examples = [
    ['the file that the service would take', 'validate-config'],
    ['another one, and what it comes to', 'validate-config staging.yaml --detailed'],
  ] as const;

  @Option({ flags: '--detailed', description: 'say what each observer will do' })
  parseDetailed(): boolean {
    return true;
  }

  async run([file]: string[], flags: GlobalOptions & { detailed?: boolean }): Promise<void> {
    const { ConfigurationError } = await import('../config/problems');
    const { describeObservers } = await import('../config/describe');
    const json = flags.format === 'json';
    try {
      const { file: loaded } = await configurationOf(file === undefined ? flags : { ...flags, config: file });
      const observers = describeObservers(loaded.definition);
      if (json) return printJson({ valid: true, problems: loaded.warnings, ...(flags.detailed ? { observers } : {}) });
      for (const warning of loaded.warnings)
        print(`${colors.yellow('warning')} ${warning.file}:${warning.line}:${warning.column} ${warning.path}: ${warning.message}`);
      print(
        `${colors.green('valid')}: ${observers.length} observer${observers.length === 1 ? '' : 's'}, ${loaded.definition.captures.length} captured tables`,
      );
      if (flags.detailed) for (const line of observers.flatMap((observer) => ['', ...lines(observer)])) print(line);
    } catch (error) {
      if (!json || !(error instanceof ConfigurationError)) throw error;
      printJson({ valid: false, problems: error.problems });
      process.exitCode = ExitCode.configuration;
    }
  }
}

function lines(observer: object): string[] {
  return Object.entries(observer).map(
    ([key, value]) => `  ${colors.dim(key.padEnd(12))} ${Array.isArray(value) ? value.join('\n               ') : String(value)}`,
  );
}
