import { Module } from '@nestjs/common';
import { InjectCommander } from 'nest-commander';
import { AuditCommand, AuditVerifyCommand } from './audit.command';
import { CaptureCommand } from './capture.command';
import { ConfigCommand } from './config.command';
import { DlqCommand } from './dlq/dlq.command';
import { DebugEventCommand } from './explain/debug-event.command';
import { DoctorCommand } from './doctor.command';
import { InitCommand } from './init.command';
import { LanesCommand } from './lanes.command';
import { MetricsCommand } from './metrics/metrics.command';
import { MigrateCommand } from './migrate.command';
import { ObserversListingCommand } from './observers.command';
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
    ...ConfigCommand.subCommands,
    MigrateCommand,
    CaptureCommand,
    ...CaptureCommand.subCommands,
    StatusCommand,
    DoctorCommand,
    DebugEventCommand,
    MetricsCommand,
    AuditCommand,
    AuditVerifyCommand,
    ReplayCommand,
    DlqCommand,
    ...DlqCommand.subCommands,
    ObserversListingCommand,
    ...ObserversListingCommand.subCommands,
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
