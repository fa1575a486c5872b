import { REDIS_EXPECTED, redisAddress, shownRedis } from '../redis-address';
import { duration, oneOf, type Setting } from './kinds';

export const redisUrl: Setting<string | null> = {
  variable: 'REDIS_URL',
  secret: true,
  description:
    'Redis for cache actions, Redis streams, dedup keys and answers of look-ups: redis://user:password@host:6379/0 (rediss:// with TLS; a cluster is noticed), or redis-sentinel://user:password@host:26379,host:26379/0#MASTER',
  default: null,
  parse: (value) => (redisAddress(value) === null ? { expected: REDIS_EXPECTED } : { value }),
  show: (value) => (value === null ? '' : shownRedis(value)),
};

export const redisSentinelPassword: Setting<string | null> = {
  variable: 'OBSERVERS_REDIS_SENTINEL_PASSWORD',
  secret: true,
  description: 'password of the sentinels in REDIS_URL, where they ask for one; that in the URL is for the server',
  default: null,
  parse: (value) => (value === '' ? { expected: 'a password' } : { value }),
  show: (value) => (value === null ? '' : '***'),
};

export const redisCaFile: Setting<string | null> = {
  variable: 'OBSERVERS_REDIS_CA_FILE',
  description: 'certificates (PEM) of the only authorities trusted for REDIS_URL; without it those of this machine are',
  default: null,
  parse: (value) => (/^\w+:\/\//.test(value) ? { expected: 'the path of a file with certificates' } : { value }),
  show: (value) => value ?? '',
};

export const redisPrefix: Setting<string> = {
  variable: 'OBSERVERS_REDIS_PREFIX',
  description: 'what the keys and channels of this service in Redis begin with; not those of cache actions and streams',
  default: 'observers:',
  // Braces would put every key of a cluster into one slot, or tear ours apart.
  parse: (value) => (/^[\w.:-]{1,100}$/.test(value) ? { value } : { expected: 'up to 100 letters, digits and . : - _' }),
  show: (value) => value,
};

export const redisTimeout = duration(
  'OBSERVERS_REDIS_TIMEOUT',
  '50ms',
  ['1ms', '10s'],
  'how long a dedup key or the answer of a look-up is waited for in Redis; then the delivery goes on without',
);

export const dedupDriver = oneOf(
  'OBSERVERS_DEDUP_DRIVER',
  'postgres',
  ['postgres', 'redis', 'memory'],
  'where dedup keys are kept; redis and memory are faster: what Redis has forgotten, and memory at a restart, may be delivered twice',
);

export const cacheDriver = oneOf(
  'OBSERVERS_CACHE_DRIVER',
  'memory',
  ['memory', 'redis'],
  'where answers of look-ups are kept; redis: in Redis too, for all instances',
);

/** What goes to Redis beside the actions. @returns the settings that ask for it */
export function redisUsers(settings: { readonly dedupDriver: string; readonly cacheDriver: string }): string[] {
  const users = [
    ['OBSERVERS_DEDUP_DRIVER', settings.dedupDriver],
    ['OBSERVERS_CACHE_DRIVER', settings.cacheDriver],
  ] as const;
  return users.filter(([, driver]) => driver === 'redis').map(([variable]) => variable);
}
