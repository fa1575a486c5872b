import { Module } from '@nestjs/common';
import { ServiceConfiguration } from '../config/service-configuration';
import { ConnectionsModule } from '../connections/connections.module';
import { RedisClients } from '../connections/redis/redis-clients';
import { Clock } from '../event/clock';
import { LookupCache } from './lookup-cache';
import { MemoryCache } from './memory-cache';
import { RedisCache } from './redis-cache';

/** By the value of OBSERVERS_CACHE_DRIVER. A driver is a file and a line; test/conformance/lookup-cache.test.ts runs each. */
export const LOOKUP_CACHES = {
  memory: (clock: Clock): LookupCache => new MemoryCache(clock),
  redis: (clock: Clock, redis: RedisClients): LookupCache => new RedisCache(redis.of('cache'), clock),
};

@Module({
  imports: [ConnectionsModule],
  providers: [
    {
      provide: LookupCache,
      useFactory: ({ settings }: ServiceConfiguration, clock: Clock, redis: RedisClients) =>
        LOOKUP_CACHES[settings.cacheDriver](clock, redis),
      inject: [ServiceConfiguration, Clock, RedisClients],
    },
  ],
  exports: [LookupCache],
})
export class CacheModule {}
