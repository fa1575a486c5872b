import { Command, CommandRunner } from 'nest-commander';
import { DlqListCommand } from './list.command';
import { DlqRemoveCommand } from './remove.command';
import { DlqRetryAllCommand } from './retry-all.command';
import { DlqRetryCommand } from './retry.command';
import { DlqShowCommand } from './show.command';
import { DlqStatsCommand } from './stats.command';

const SUB_COMMANDS = [DlqListCommand, DlqShowCommand, DlqRetryCommand, DlqRetryAllCommand, DlqRemoveCommand, DlqStatsCommand];

// Without options of its own: it would swallow those of its subcommands.
@Command({ name: 'dlq', description: 'the dead letter queue', subCommands: SUB_COMMANDS })
export class DlqCommand extends CommandRunner {
  static readonly subCommands = SUB_COMMANDS;

  run(): Promise<void> {
    this.command.help();
  }
}
