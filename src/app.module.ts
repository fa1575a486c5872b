import { Module, type DynamicModule } from '@nestjs/common';
import { Pool } from 'pg';
import { AdminModule } from './admin/admin.module';
import { Clock } from './event/clock';
import { StreamService } from './listener/stream.service';

/** What the running service consists of. The lifecycle makes the parts, in its order; Nest serves them. */
export interface ServiceParts {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly stream: StreamService;
}

@Module({})
export class AppModule {
  static of({ pool, clock, stream }: ServiceParts): DynamicModule {
    return {
      module: AppModule,
      global: true,
      imports: [AdminModule],
      providers: [
        { provide: Pool, useValue: pool },
        { provide: Clock, useValue: clock },
        { provide: StreamService, useValue: stream },
      ],
      exports: [Pool, Clock, StreamService],
    };
  }
}
