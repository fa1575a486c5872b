import { Module } from '@nestjs/common';
import { Pool } from 'pg';
import { ServiceConfiguration } from '../config/service-configuration';
import { Clock } from '../event/clock';
import { DedupStore } from './dedup-store';
import { Deduplications } from './deduplication';
import { MemoryDedup } from './memory-dedup';
import { PostgresDedup } from './postgres-dedup.sql';

/** By the value of OBSERVERS_DEDUP_DRIVER. A driver is a file and a line; test/conformance/dedup-store.test.ts runs each. */
export const DEDUP_DRIVERS = {
  postgres: (pool: Pool): DedupStore => new PostgresDedup(pool),
  memory: (_pool: Pool, clock: Clock): DedupStore => new MemoryDedup(clock),
};

@Module({
  providers: [
    {
      provide: DedupStore,
      useFactory: ({ settings }: ServiceConfiguration, pool: Pool, clock: Clock) => DEDUP_DRIVERS[settings.dedupDriver](pool, clock),
      inject: [ServiceConfiguration, Pool, Clock],
    },
    Deduplications,
  ],
  exports: [Deduplications],
})
export class DedupModule {}
