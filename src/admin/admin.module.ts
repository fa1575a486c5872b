import { Module, type DynamicModule, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import type { Request } from 'express';
import type { RateLimit } from '../event/definitions';
import { RedriveModule } from '../redrive/redrive.module';
import { ApiContext } from './api/api-context';
import { DeadLettersController } from './api/dead-letters.controller';
import { EventsController } from './api/events.controller';
import { ObserversController } from './api/observers.controller';
import { ReloadController } from './api/reload.controller';
import { SearchController } from './api/search.controller';
import { StreamController } from './api/stream.controller';
import { HealthController } from './health.controller';
import { isProbe } from './http/open-paths';

@Module({})
export class AdminModule {
  /** @param rate requests of one address, to all routes together */
  static of(api: ApiContext, rate: RateLimit): DynamicModule {
    return {
      module: AdminModule,
      imports: [
        TerminusModule.forRoot({ logger: false }),
        ThrottlerModule.forRoot({
          throttlers: [{ limit: rate.count, ttl: rate.per }],
          skipIf: (context: ExecutionContext) => isProbe(context.switchToHttp().getRequest<Request>().path),
          generateKey: (_context, address) => address,
        }),
        RedriveModule,
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
      providers: [
        { provide: ApiContext, useValue: api },
        { provide: APP_GUARD, useClass: ThrottlerGuard },
      ],
    };
  }
}
