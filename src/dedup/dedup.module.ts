import { Module } from '@nestjs/common';
import { Pool } from 'pg';
import { ServiceConfiguration } from '../config/service-configuration';
import { ConnectionsModule } from '../connections/connections.module';
import { RedisClients } from '../connections/redis/redis-clients';
import { Clock } from '../event/clock';
import { DedupStore } from './dedup-store';
import { Deduplications } from './deduplication';
import { MemoryDedup } from './memory-dedup';
import { PostgresDedup } from './postgres-dedup.sql';
import { RedisDedup } from './redis-dedup';

/** By the value of OBSERVERS_DEDUP_DRIVER. A driver is a file and a line; test/conformance/dedup-store.test.ts runs each. */
export const DEDUP_DRIVERS = {
  postgres: (pool: Pool): DedupStore => new PostgresDedup(pool),
  redis: (pool: Pool, _clock: Clock, redis: RedisClients): DedupStore => new RedisDedup(redis.of('dedup'), pool),
  memory: (_pool: Pool, clock: Clock): DedupStore => new MemoryDedup(clock),
};

@Module({
  imports: [ConnectionsModule],
  providers: [
    {
      provide: DedupStore,
      useFactory: ({ settings }: ServiceConfiguration, pool: Pool, clock: Clock, redis: RedisClients) =>
        DEDUP_DRIVERS[settings.dedupDriver](pool, clock, redis),
      inject: [ServiceConfiguration, Pool, Clock, RedisClients],
    },
    Deduplications,
  ],
  exports: [Deduplications],
})
export class DedupModule {}
