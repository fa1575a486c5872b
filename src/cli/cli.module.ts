import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectCommander } from 'nest-commander';
import { AuditCommand } from './audit.command';
import { BackfillCommand } from './backfill/backfill.command';
import { BreakersCommand } from './breakers.command';
import { CacheCommand } from './cache.command';
import { CaptureCommand } from './capture.command';
import { CheckpointCommand } from './checkpoint/checkpoint.command';
import { CompletionCommand } from './completion/completion.command';
import { ConfigCommand } from './config.command';
import { DlqCommand } from './dlq/dlq.command';
import { TestEventCommand } from './dry-run/test-event.command';
import { DebugEventCommand } from './explain/debug-event.command';
import { WhyCommand } from './explain/why.command';
import { DoctorCommand } from './doctor.command';
import { InitCommand } from './init.command';
import { LanesCommand } from './lanes.command';
import { MetricsCommand } from './metrics/metrics.command';
import { MigrateCommand } from './migrate.command';
import { ObserversListingCommand } from './observers.command';
import { completeProgram, type Command } from './program';
import { OperationsCommand } from './operations.command';
import { PendingCommand } from './pending.command';
import { RetentionCommand } from './retention.command';
import { ReplayCommand } from './replay/replay.command';
import { RolesCommand } from './roles.command';
import { SearchCommand } from './search/search.command';
import { StartCommand } from './start.command';
import { StatusCommand } from './status.command';
import { TailCommand } from './tail/tail.command';
import { ValidateConfigCommand } from './validate-config.command';

@Module({
  providers: [
    StartCommand,
    InitCommand,
    ValidateConfigCommand,
    ConfigCommand,
    ...ConfigCommand.subCommands,
    MigrateCommand,
    RolesCommand,
    ...RolesCommand.subCommands,
    CaptureCommand,
    ...CaptureCommand.subCommands,
    StatusCommand,
    TailCommand,
    DoctorCommand,
    DebugEventCommand,
    WhyCommand,
    SearchCommand,
    ...SearchCommand.subCommands,
    TestEventCommand,
    MetricsCommand,
    AuditCommand,
    ...AuditCommand.subCommands,
    CheckpointCommand,
    ...CheckpointCommand.subCommands,
    ReplayCommand,
    BackfillCommand,
    ...BackfillCommand.subCommands,
    DlqCommand,
    ...DlqCommand.subCommands,
    ObserversListingCommand,
    ...ObserversListingCommand.subCommands,
    LanesCommand,
    ...LanesCommand.subCommands,
    BreakersCommand,
    ...BreakersCommand.subCommands,
    CacheCommand,
    ...CacheCommand.subCommands,
    PendingCommand,
    ...PendingCommand.subCommands,
    OperationsCommand,
    ...OperationsCommand.subCommands,
    RetentionCommand,
    ...RetentionCommand.subCommands,
    CompletionCommand,
  ],
})
export class CliModule implements OnApplicationBootstrap {
  constructor(@InjectCommander() readonly program: Command) {}

  /** All commands are registered when their modules are initialised. */
  onApplicationBootstrap(): void {
    completeProgram(this.program);
  }
}
