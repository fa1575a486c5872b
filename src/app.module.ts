import { Module, type DynamicModule } from '@nestjs/common';
import { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { AdminModule } from './admin/admin.module';
import type { ApiContext } from './admin/api/api-context';
import { Database, PooledDatabase } from './database/database';
import { Clock } from './event/clock';
import type { RateLimit } from './event/definitions';
import { Leadership } from './ha/leadership';
import { MetricsModule } from './metrics/metrics.module';
import type { StreamMetrics } from './metrics/stream-metrics';
import { Reloader } from './reload/reloader';

/** What the running service consists of. The lifecycle makes the parts, in its order; Nest serves them. */
export interface ServiceParts {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly stream: Leadership;
  readonly registry: Registry;
  readonly streamMetrics: StreamMetrics;
  readonly api: ApiContext;
  readonly reloader: Reloader;
  readonly apiRate: RateLimit;
}

@Module({})
export class AppModule {
  static of({ pool, clock, stream, registry, streamMetrics, api, apiRate, reloader }: ServiceParts): DynamicModule {
    return {
      module: AppModule,
      global: true,
      imports: [AdminModule.of(api, apiRate), MetricsModule.of(registry, streamMetrics)],
      providers: [
        { provide: Pool, useValue: pool },
        { provide: Database, useValue: new PooledDatabase(api.pool) },
        { provide: Clock, useValue: clock },
        { provide: Leadership, useValue: stream },
        { provide: Reloader, useValue: reloader },
      ],
      exports: [Pool, Database, Clock, Leadership, Reloader],
    };
  }
}
