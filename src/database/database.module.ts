import { Module, type DynamicModule } from '@nestjs/common';
import { Pool } from 'pg';
import { Database, PooledDatabase } from './database';

/** Where the service's database is, for what needs a connection of its own. */
export class DatabaseUrl {
  constructor(readonly text: string) {}
}

/** Who opened the pools closes them. */
export interface Pools {
  readonly url: string;
  /** For the work of the service. */
  readonly pool: Pool;
  /** For the questions of people. */
  readonly apiPool: Pool;
}

/** Global: the service's pool, and the few connections for the questions of people. */
@Module({})
export class DatabaseModule {
  static of({ url, pool, apiPool }: Pools): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: DatabaseUrl, useValue: new DatabaseUrl(url) },
        { provide: Pool, useValue: pool },
        { provide: Database, useValue: new PooledDatabase(apiPool) },
      ],
      exports: [DatabaseUrl, Pool, Database],
    };
  }
}
