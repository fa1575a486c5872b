import { Command, CommandRunner, SubCommand } from 'nest-commander';
import { configurationOf, ObserversCommand, type GlobalOptions } from './command';
import { printJson, printTable } from './output';

@SubCommand({ name: 'list', description: 'every setting: its value, where it comes from, what it means' })
export class ConfigListCommand extends ObserversCommand {
  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { describeSettings } = await import('../config/describe');
    const settings = describeSettings(await configurationOf(flags));
    if (flags.format === 'json') return printJson(settings);
    printTable(
      ['variable', 'value', 'from', 'meaning'],
      settings.map(({ variable, value, origin, description }) => [variable, value, origin, description]),
    );
  }
}

// Without options of its own: it would swallow those of its subcommands.
@Command({ name: 'config', description: 'the effective configuration', subCommands: [ConfigListCommand] })
export class ConfigCommand extends CommandRunner {
  run(): Promise<void> {
    this.command.help();
  }
}
