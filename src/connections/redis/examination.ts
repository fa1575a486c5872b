import { redisUsers } from '../../config/settings/redis';
import type { Settings } from '../../config/settings';
import { messageOf } from '../../event/errors';
import { within } from '../../event/timing';
import { dial, redisTarget, type RedisConnection } from './dial';
import { explainRedis } from './redis-error';
import type { ServerFinding } from '../server-finding';

/** Milliseconds; whoever asks has somebody waiting. */
const TIMEOUT = 5_000;
/** Before 5.0 a script that has written may leave a replica with something else. */
const OLDEST = 5;

type Examined = Pick<
  Settings,
  'redisUrl' | 'redisSentinelPassword' | 'redisCaFile' | 'redisPrefix' | 'redisTimeout' | 'dedupDriver' | 'cacheDriver'
>;

/** How the Redis of REDIS_URL is from here; nothing where dedup keys and look-ups are not kept in it. Never rejects. */
export async function examineRedis(settings: Examined): Promise<ServerFinding[]> {
  const users = redisUsers(settings);
  const target = redisTarget(settings);
  if (users.length === 0 || target === null) return [];
  let redis: RedisConnection | null = null;
  try {
    redis = await within(dial(target, TIMEOUT, 'once'), TIMEOUT, () => { throw new Error(`no answer within ${TIMEOUT / 1_000} s`); }); // prettier-ignore
    return await findings(redis, settings);
  } catch (error) {
    const { message, remedy } = explainRedis(error);
    return [finding('problem', `${users.join(', ')}: ${message}`, remedy)];
  } finally {
    redis?.disconnect();
  }
}

async function findings(redis: RedisConnection, { redisPrefix, redisTimeout, dedupDriver }: Examined): Promise<ServerFinding[]> {
  const begun = performance.now();
  await redis.set(`${redisPrefix}alive:doctor`, '1', 'PX', 60_000);
  const took = performance.now() - begun;
  const found: ServerFinding[] = [];
  const server = await redis.info('server').catch((error: unknown) => messageOf(error));
  const version = /^redis_version:(.+)$/m.exec(server)?.[1]?.trim() ?? 'of an unknown version';
  if (Number.parseInt(version, 10) < OLDEST) found.push(finding('problem', `Redis ${version} is too old`, `Redis ${OLDEST}.0 or later`));
  else found.push(finding('ok', `Redis ${version} takes what is written, in ${took.toFixed(1)} ms`));
  if (took > redisTimeout)
    found.push(finding('warning', `it took ${Math.round(took)} ms, longer than the ${redisTimeout} ms of OBSERVERS_REDIS_TIMEOUT: deliveries go on without`, 'a Redis nearer by, or a larger OBSERVERS_REDIS_TIMEOUT')); // prettier-ignore
  const memory = await redis.info('memory').catch(() => '');
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1] ?? 'noeviction';
  const bounded = /^maxmemory:([1-9]\d*)/m.test(memory);
  if (bounded && policy !== 'noeviction' && dedupDriver === 'redis')
    found.push(finding('warning', `Redis evicts keys when it is full (${policy}): a dedup key that is forgotten before its window is over lets a delivery be made twice`, 'a Redis of its own with maxmemory-policy noeviction, or OBSERVERS_DEDUP_DRIVER=postgres')); // prettier-ignore
  return found;
}

function finding(state: ServerFinding['state'], message: string, repair: string | null = null): ServerFinding {
  return { check: 'redis', state, message, repair };
}
