import { redisTarget } from '../connections/redis/dial';
import { RedisClient } from '../connections/redis/redis-client';
import type { Settings } from '../config/settings';
import { ExitCode, OperatorError } from '../event/errors';
import type { Invalidation } from './lookup-cache';
import { SecondTier } from './second-tier';

/** A person waits longer than a delivery. */
const TIMEOUT = 5_000;

/** Has every instance ask anew, from a process that is none. @throws OperatorError */
export async function invalidateFromOutside(settings: Settings, what: Invalidation): Promise<void> {
  if (settings.cacheDriver !== 'redis')
    throw new OperatorError(
      'the answers of look-ups are in the memory of each instance (OBSERVERS_CACHE_DRIVER=memory): they cannot be reached from here',
      'POST /cache/invalidate at each instance, or set OBSERVERS_CACHE_DRIVER=redis.',
      ExitCode.configuration,
    );
  const silent = { warn: () => undefined, info: () => undefined };
  const client = new RedisClient('cache', redisTarget(settings), { timeout: TIMEOUT, prefix: settings.redisPrefix }, silent);
  try {
    await client.open('OBSERVERS_CACHE_DRIVER');
    await new SecondTier(client).invalidate(what);
  } finally {
    client.close();
  }
}
