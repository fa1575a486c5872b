import { Cluster, type Redis } from 'ioredis';
import { DEFAULT_BREAKER, type CacheActionDefinition, type CacheValue } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import type { Outcome } from '../event/outcome';
import { compileBody, compileTemplate, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { REDIS_CONCURRENCY, type RedisClient, type RedisServer } from './redis-server';

/** Keys that one step of a scan looks at. */
const SCAN_STEP = 1_000;
/** How long the change that a key was set by is remembered at least, in milliseconds: late tries and redrives come within days. */
const REMEMBERED = 7 * 24 * 3_600_000;

const SUCCEEDED: Outcome = { ok: true, status: null };

/** Removes keys of the application's cache, or sets one. Both may be repeated, and an older change never overwrites a newer one. */
export function cacheAction(redis: RedisServer | null): ActionHandler<CacheActionDefinition> {
  return {
    type: 'cache',
    prepare(definition) {
      if (redis === null) throw new Error('a cache action without REDIS_URL got past the check of the file');
      return new PreparedCache(definition, redis);
    },
  };
}

class PreparedCache implements PreparedAction {
  readonly limits = { concurrency: REDIS_CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly keys: readonly Template[];
  private readonly patterns: readonly Template[];
  private readonly value: PreparedValue | null;

  constructor(
    { keys, patterns, set, timeout }: CacheActionDefinition,
    private readonly redis: RedisServer,
  ) {
    this.timeout = timeout;
    this.keys = keys.map((key) => compileTemplate(key, 'text'));
    this.patterns = patterns.map((pattern) => compileTemplate(pattern, 'pattern'));
    this.value = set === null ? null : new PreparedValue(set);
  }

  run({ event }: Delivery): Promise<Outcome> {
    const keys = this.keys.map((key) => key.render(event).text);
    const patterns = this.patterns.map((pattern) => pattern.render(event).text);
    const write = this.value?.writeOf(event) ?? null;
    return this.redis.use(this.timeout, async (redis) => {
      await removeKeys(redis, keys);
      for (const node of patterns.length === 0 ? [] : nodesOf(redis)) await removeMatching(node, patterns);
      return write === null || (await write(redis)) ? SUCCEEDED : { ...SUCCEEDED, skipped: 'a newer change has set the key' };
    });
  }
}

// Versions are compared as texts: Lua's numbers are exact to 2^53 only.
const SET_IF_NEWER = `
  local seen = redis.call('GET', KEYS[2])
  if seen and (#seen > #ARGV[1] or (#seen == #ARGV[1] and seen > ARGV[1])) then return 0 end
  if ARGV[4] == '' then redis.call('DEL', KEYS[1])
  elseif ARGV[2] == '' then redis.call('SET', KEYS[1], ARGV[3])
  else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2]) end
  if ARGV[5] == '' then redis.call('SET', KEYS[2], ARGV[1]) else redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5]) end
  return 1`;

class PreparedValue {
  private readonly key: Template;
  private readonly value: Template;
  private readonly ttl: string;
  private readonly remembered: string;

  constructor({ key, value, ttl }: CacheValue) {
    this.key = compileTemplate(key, 'text');
    this.value = compileBody(value, false);
    this.ttl = ttl === null ? '' : String(ttl);
    this.remembered = ttl === null ? '' : String(Math.max(ttl, REMEMBERED));
  }

  /** @returns what writes it, and says whether it was the newest */
  writeOf(event: EntityEvent): (redis: RedisClient) => Promise<boolean> {
    const key = this.key.render(event).text;
    const exists = event.kind === 'delete' ? '' : '1';
    const value = exists === '' ? '' : this.value.render(event).text;
    const { ttl, remembered } = this;
    return async (redis) =>
      (await redis.eval(SET_IF_NEWER, 2, key, versionKeyOf(key), String(event.changeNumber), ttl, value, exists, remembered)) === 1;
  }
}

/** In a cluster it lies where the key lies: it has the same hash tag. */
function versionKeyOf(key: string): string {
  return /^[^{]*\{[^}]+\}/.test(key) ? `${key}:observers-version` : `{${key}}:observers-version`;
}

/** One by one: in a cluster the keys of one command must lie together. */
async function removeKeys(redis: RedisClient, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => redis.unlink(key)));
}

async function removeMatching(node: Redis, patterns: readonly string[]): Promise<void> {
  for (const pattern of patterns) {
    let cursor = '0';
    do {
      const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_STEP);
      cursor = next;
      await removeKeys(node, found);
    } while (cursor !== '0');
  }
}

function nodesOf(redis: RedisClient): Redis[] {
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}
