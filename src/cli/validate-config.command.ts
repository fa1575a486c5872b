import { Command, Option } from 'nest-commander';
import type { ColumnFindings } from '../config/column-check';
import type { LoadedConfiguration } from '../config/load';
import type { Problem } from '../config/problems';
import { ExitCode } from '../event/errors';
import { configurationOf, ObserversCommand, type GlobalOptions } from './command';
import { BREAK, colors, counted, print, printJson } from './output';

interface ValidateFlags extends GlobalOptions {
  readonly detailed?: boolean;
  readonly database?: boolean;
}

@Command({ name: 'validate-config', arguments: '[file]', description: 'check an observers file: every problem at once, with its place' })
export class ValidateConfigCommand extends ObserversCommand {
  protected readonly examples = [
    ['the file that the service would take', 'validate-config'],
    ['another one, and what it comes to', 'validate-config staging.yaml --detailed'],
    ['beside the columns of the database', 'validate-config --database'],
  ] as const;

  @Option({ flags: '--detailed', description: 'say what each observer will do' })
  parseDetailed(): boolean {
    return true;
  }

  @Option({ flags: '--database', description: 'also whether the database has the columns that the file names' })
  parseDatabase(): boolean {
    return true;
  }

  async run([file]: string[], flags: ValidateFlags): Promise<void> {
    const { ConfigurationError } = await import('../config/problems');
    const { describeObservers } = await import('../config/describe');
    const json = flags.format === 'json';
    try {
      const configuration = await configurationOf(file === undefined ? flags : { ...flags, config: file });
      const { definition, warnings: own } = configuration.file;
      const { errors, warnings: more } = flags.database === true ? await columnsOf(configuration) : { errors: [], warnings: [] };
      const warnings = [...own, ...more].sort((a, b) => a.line - b.line || a.column - b.column);
      if (!json) for (const warning of warnings) print(warningLine(warning));
      if (errors.length > 0) throw new ConfigurationError(errors);
      const observers = describeObservers(definition);
      if (json) return printJson({ valid: true, problems: warnings, ...(flags.detailed ? { observers } : {}) });
      print(`${colors.green('valid')}: ${counted(observers.length, 'observer')}, ${counted(definition.captures.length, 'captured table')}`);
      if (flags.detailed) for (const line of observers.flatMap((observer) => ['', ...lines(observer)])) print(line);
    } catch (error) {
      if (!json || !(error instanceof ConfigurationError)) throw error;
      printJson({ valid: false, problems: error.problems });
      process.exitCode = ExitCode.configuration;
    }
  }
}

async function columnsOf({ settings, file }: LoadedConfiguration): Promise<ColumnFindings> {
  const { withAnyDatabase } = await import('./modules');
  const { examineColumns } = await import('../doctor/file-warnings');
  return withAnyDatabase(settings, (client) => examineColumns(client, file));
}

function warningLine({ file, line, column, path, message }: Problem): string {
  return `${colors.yellow('warning')} ${file}:${line}:${column} ${path}: ${message}`;
}

function lines(observer: object): string[] {
  return Object.entries(observer).map(
    ([key, value]) => `  ${colors.dim(key.padEnd(12))} ${Array.isArray(value) ? value.join(`${BREAK}${' '.repeat(15)}`) : String(value)}`,
  );
}
