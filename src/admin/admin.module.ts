import { Module, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import type { Request } from 'express';
import { ServiceConfiguration } from '../config/service-configuration';
import { ObserverPausesModule } from '../delivery/observer-pauses.module';
import { ExplainModule } from '../explain/explain.module';
import { HaModule } from '../ha/ha.module';
import { RedriveModule } from '../redrive/redrive.module';
import { ReplayModule } from '../redrive/replay.module';
import { ReloadModule } from '../reload/reload.module';
import { SearchModule } from '../search/search.module';
import { StatusModule } from '../status/status.module';
import { DeadLettersController } from './api/dead-letters.controller';
import { EventsController } from './api/events.controller';
import { ObserversController } from './api/observers.controller';
import { ReloadController } from './api/reload.controller';
import { SearchController } from './api/search.controller';
import { StreamController } from './api/stream.controller';
import { HealthController } from './health.controller';
import { isProbe } from './http/access';

/** Requests of one address, to all routes together. */
const THROTTLER = ThrottlerModule.forRootAsync({
  inject: [ServiceConfiguration],
  useFactory: ({ settings: { apiRate } }: ServiceConfiguration) => ({
    throttlers: [{ limit: apiRate.count, ttl: apiRate.per }],
    skipIf: (context: ExecutionContext) => isProbe(context.switchToHttp().getRequest<Request>().path),
    generateKey: (_context, address) => address,
  }),
});

@Module({
  imports: [
    TerminusModule.forRoot({ logger: false }),
    THROTTLER,
    ExplainModule,
    ObserverPausesModule,
    RedriveModule,
    ReplayModule,
    SearchModule,
    StatusModule,
    HaModule,
    ReloadModule,
  ],
  controllers: [
    HealthController,
    StreamController,
    ReloadController,
    ObserversController,
    EventsController,
    SearchController,
    DeadLettersController,
  ],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})
export class AdminModule {}
