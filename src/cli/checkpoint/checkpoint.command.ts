import { Command } from 'nest-commander';
import { CommandGroup } from '../command';
import { CheckpointResetCommand } from './reset.command';
import { CheckpointShowCommand } from './show.command';

const SUB_COMMANDS = [CheckpointShowCommand, CheckpointResetCommand];

@Command({ name: 'checkpoint', description: 'how far the stream has been read, and moving it by hand', subCommands: SUB_COMMANDS })
export class CheckpointCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
