import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from 'pino';
import { Clock } from '../event/clock';
import { ServiceLogger } from '../event/service-logger';
import { PersonalActions } from './personal-actions';

/** Global: the log, and the time. */
@Module({})
export class LoggingModule {
  static of(logger: Logger, clock: Clock): DynamicModule {
    return {
      module: LoggingModule,
      global: true,
      providers: [{ provide: ServiceLogger, useValue: logger }, { provide: Clock, useValue: clock }, PersonalActions],
      exports: [ServiceLogger, Clock, PersonalActions],
    };
  }
}
