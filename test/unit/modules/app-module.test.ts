import { Test } from '@nestjs/testing';
import { Pool } from 'pg';
import pino from 'pino';
import { NO_CUSTOM_ACTIONS } from '../../../src/actions/custom/custom-actions';
import { type AppModule } from '../../../src/app.module';
import { LookupCache } from '../../../src/cache/lookup-cache';
import { RedisCache } from '../../../src/cache/redis-cache';
import { RedisClients } from '../../../src/connections/redis/redis-clients';
import { DEDUP_DRIVERS } from '../../../src/dedup/dedup.module';
import { DedupStore } from '../../../src/dedup/dedup-store';
import type { Settings } from '../../../src/config/settings';
import { SystemClock } from '../../../src/event/clock';
import { LifecycleService } from '../../../src/lifecycle/lifecycle.service';
import { ServiceModule } from '../../../src/lifecycle/service.module';
import { AuditTrail } from '../../../src/search/audit-trail';
import { AUDIT_TRAILS } from '../../../src/search/search.module';
import { EventPipelineService } from '../../../src/pipeline/event-pipeline.service';
import { UNTRACED } from '../../../src/tracing/tracing';
import { configurationOf } from '../../support/stream';

// No constructor of a provider does I/O: there is no database here.
function input(changed: Partial<Settings>): Parameters<typeof AppModule.of>[0] {
  const pool = new Pool({ host: '127.0.0.1', port: 9 });
  return {
    configuration: configurationOf([], { settings: changed }),
    database: { url: 'postgres://127.0.0.1:9/none', pool, apiPool: pool },
    custom: NO_CUSTOM_ACTIONS,
    tracing: UNTRACED,
    clock: new SystemClock(),
    logger: pino({ level: 'silent' }),
  };
}

test.each(Object.keys(DEDUP_DRIVERS) as (keyof typeof DEDUP_DRIVERS)[])(
  'every provider is resolved, with the dedup driver %s',
  async (driver) => {
    const container = await Test.createTestingModule({ imports: [ServiceModule.of(input({ dedupDriver: driver }))] }).compile();
    expect(container.get(EventPipelineService, { strict: false })).toBeInstanceOf(EventPipelineService);
    expect(container.get(LifecycleService, { strict: false })).toBeInstanceOf(LifecycleService);
    const redis = container.get(RedisClients, { strict: false });
    const store = container.get(DedupStore, { strict: false });
    expect(store).toBeInstanceOf(DEDUP_DRIVERS[driver](new Pool(), new SystemClock(), redis).constructor);
    await container.close();
  },
);

test('every provider is resolved, with answers in Redis', async () => {
  const container = await Test.createTestingModule({ imports: [ServiceModule.of(input({ cacheDriver: 'redis' }))] }).compile();
  expect(container.get(LookupCache, { strict: false })).toBeInstanceOf(RedisCache);
  await container.close();
});

test.each(Object.keys(AUDIT_TRAILS) as (keyof typeof AUDIT_TRAILS)[])(
  'every provider is resolved, with the search driver %s',
  async (searchDriver) => {
    const container = await Test.createTestingModule({ imports: [ServiceModule.of(input({ searchDriver }))] }).compile();
    expect(container.get(AuditTrail, { strict: false }).constructor.name.toLowerCase()).toContain(searchDriver);
    await container.close();
  },
);
