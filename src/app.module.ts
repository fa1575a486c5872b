import { Module, type DynamicModule } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import type { Logger } from 'pino';
import { ActionsModule } from './actions/actions.module';
import type { CustomActions } from './actions/custom/custom-actions';
import { AdminModule } from './admin/admin.module';
import { ConfigModule } from './config/config.module';
import type { ServiceConfiguration } from './config/service-configuration';
import { DatabaseModule, type Pools } from './database/database.module';
import type { Clock } from './event/clock';
import { HaModule } from './ha/ha.module';
import { LoggingModule } from './logging/logging.module';
import { MetricsModule } from './metrics/metrics.module';
import { PipelineModule } from './pipeline/pipeline.module';
import { ReloadModule } from './reload/reload.module';
import type { Tracing } from './tracing/tracing';
import { TracingModule } from './tracing/tracing.module';

/** The values that a service is made from. Whoever made them ends them. */
export interface ServiceInput {
  readonly configuration: ServiceConfiguration;
  readonly database: Pools;
  readonly custom: CustomActions;
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The service, in the order of an event's path. */
@Module({})
export class AppModule {
  static of({ configuration, database, custom, tracing, clock, logger }: ServiceInput): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.of(configuration),
        DatabaseModule.of(database),
        LoggingModule.of(logger, clock),
        ScheduleModule.forRoot(),
        TracingModule.of(tracing),
        ActionsModule.of(custom),
        PipelineModule,
        HaModule,
        MetricsModule,
        ReloadModule,
        AdminModule,
      ],
    };
  }
}
