import { Command } from 'nest-commander';
import { CommandGroup } from '../command';
import { DlqCancelCommand } from './cancel.command';
import { DlqListCommand } from './list.command';
import { DlqRemoveCommand } from './remove.command';
import { DlqRestoreCommand } from './restore.command';
import { DlqRetryAllCommand } from './retry-all.command';
import { DlqRetryCommand } from './retry.command';
import { DlqShowCommand } from './show.command';
import { DlqStatsCommand } from './stats.command';

const SUB_COMMANDS = [
  DlqListCommand,
  DlqShowCommand,
  DlqRetryCommand,
  DlqRetryAllCommand,
  DlqCancelCommand,
  DlqRemoveCommand,
  DlqRestoreCommand,
  DlqStatsCommand,
];

@Command({ name: 'dlq', description: 'the dead letter queue', subCommands: SUB_COMMANDS })
export class DlqCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
