import { Module } from '@nestjs/common';
import { InjectCommander } from 'nest-commander';
import { CaptureCommand } from './capture.command';
import { ConfigCommand, ConfigListCommand } from './config.command';
import { DlqCommand } from './dlq/dlq.command';
import { InitCommand } from './init.command';
import { LanesCommand } from './lanes.command';
import { MigrateCommand } from './migrate.command';
import { ReplayCommand } from './replay/replay.command';
import { StartCommand } from './start.command';
import { StatusCommand } from './status.command';
import { ValidateConfigCommand } from './validate-config.command';

@Module({
  providers: [
    StartCommand,
    InitCommand,
    ValidateConfigCommand,
    ConfigCommand,
    ConfigListCommand,
    MigrateCommand,
    CaptureCommand,
    ...CaptureCommand.subCommands,
    StatusCommand,
    ReplayCommand,
    DlqCommand,
    ...DlqCommand.subCommands,
    LanesCommand,
    ...LanesCommand.subCommands,
  ],
})
export class CliModule {
  constructor(@InjectCommander() program: { name(name: string): unknown }) {
    // The name that people type, also where the program is run as `node dist/src/main.js`.
    program.name('fraiseql-observers');
  }
}
