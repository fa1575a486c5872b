import { SchedulerRegistry } from '@nestjs/schedule';
import pino from 'pino';
import { redisTarget } from '../../src/connections/redis/dial';
import { RedisClient } from '../../src/connections/redis/redis-client';
import { RedisClients } from '../../src/connections/redis/redis-clients';
import type { Settings } from '../../src/config/settings';
import type { RedisUse } from '../../src/event/redis-state';
import { Timers } from '../../src/event/timers';
import { configurationOf, defaultSettings } from './stream';

/** A test machine has slow moments; what a time-out does is tested with the real one. */
const PATIENT = 5_000;

const SILENT = { warn: () => undefined, info: () => undefined };

/** As the service makes them. */
export function redisClientsOf(redisUrl: string | null): RedisClients {
  const settings = { redisUrl, redisTimeout: PATIENT };
  return new RedisClients(configurationOf([], { settings }), pino({ level: 'silent' }), new Timers(new SchedulerRegistry()));
}

/** That of one instance. */
export function redisClientOf(use: RedisUse, redisUrl: string, changed: Partial<Settings> = {}): RedisClient {
  const settings = defaultSettings({ redisUrl, redisTimeout: PATIENT, ...changed });
  return new RedisClient(use, redisTarget(settings), { timeout: settings.redisTimeout, prefix: settings.redisPrefix }, SILENT);
}
