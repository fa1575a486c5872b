import { Command, Option } from 'nest-commander';
import { ExitCode } from '../event/errors';
import { loadInputOf, ObserversCommand, type GlobalOptions } from './command';
import { databaseUrl } from './modules';
import { BREAK, colors, print, printJson, printTable } from './output';

interface MigrateFlags extends GlobalOptions {
  readonly check?: boolean;
  readonly list?: boolean;
}

@Command({ name: 'migrate', description: 'prepare the database; what is applied stays, and it can be run again at any time' })
export class MigrateCommand extends ObserversCommand {
  protected readonly examples = [
    ['apply what is pending', 'migrate'],
    ['in a deployment: fail when something is', 'migrate --check'],
    ['everything that there is, as JSON', 'migrate --list --format json'],
  ] as const;

  @Option({ flags: '--check', description: 'change nothing; exit 4 when a migration is pending' })
  parseCheck(): boolean {
    return true;
  }

  @Option({ flags: '--list', description: 'change nothing; list all migrations' })
  parseList(): boolean {
    return true;
  }

  async run(_args: string[], flags: MigrateFlags): Promise<void> {
    const { loadSettings } = await import('../config/load');
    const { listMigrations, runMigrations } = await import('../database/migrator');
    const settings = loadSettings(loadInputOf(flags));
    const url = await databaseUrl(settings);
    if (!flags.check && !flags.list) {
      const applied = await runMigrations(url);
      if (flags.format === 'json') return printJson({ applied });
      print(
        applied.length === 0
          ? 'nothing to do: the database is up to date'
          : applied.map((name) => `${colors.green('applied')} ${name}`).join(BREAK),
      );
      return;
    }
    const migrations = await listMigrations(url);
    const pending = migrations.filter(({ applied }) => !applied);
    if (flags.format === 'json') printJson(migrations);
    else if (flags.list)
      printTable(['migration', 'state'], migrations.map(({ name, applied }) => [name, applied ? 'applied' : 'pending'])); // prettier-ignore
    else print(pending.length === 0 ? 'up to date' : `pending: ${pending.map(({ name }) => name).join(', ')}`);
    if (flags.check && pending.length > 0) process.exitCode = ExitCode.validation;
  }
}
