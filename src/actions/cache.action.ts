import type { Redis } from 'ioredis';
import { DEFAULT_BREAKER, type CacheActionDefinition, type CacheValue } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import { compileBody, compileTemplate, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import type { RedisConnection } from '../connections/redis/dial';
import { REDIS_CONCURRENCY, type RedisServer } from '../connections/redis-server';
import { renderingOf, type Rendering } from './rendering';

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

  run(delivery: Delivery): Promise<Outcome> {
    const { keys, patterns, entry } = this.change(new FilledTemplates(delivery));
    return this.redis.use(this.timeout, async (redis) => {
      await removeKeys(redis, keys);
      for (const node of patterns.length === 0 ? [] : nodesOf(redis)) await removeMatching(node, patterns);
      const written = entry === null || (await write(redis, entry, delivery.event.changeNumber));
      return written ? SUCCEEDED : { ...SUCCEEDED, skipped: 'a newer change has set the key' };
    });
  }

  render(delivery: Delivery): Rendering {
    const fill = new FilledTemplates(delivery);
    const { keys, patterns, entry } = this.change(fill);
    const note = entry === null ? [] : ['the key is left alone when a newer change has set it'];
    return renderingOf({ type: 'cache', delete: keys, deleteMatching: patterns, set: entry }, fill, note);
  }

  private change(fill: FilledTemplates): { keys: string[]; patterns: string[]; entry: Entry | null } {
    return {
      keys: this.keys.map((key) => fill.text(key)),
      patterns: this.patterns.map((pattern) => fill.text(pattern)),
      entry: this.value?.entry(fill) ?? null,
    };
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

interface Entry {
  readonly key: string;
  /** Null: the row is gone, and so is the key. */
  readonly value: string | null;
  /** Milliseconds; null: for good. */
  readonly ttl: number | null;
}

class PreparedValue {
  private readonly key: Template;
  private readonly value: Template;
  private readonly ttl: number | null;

  constructor({ key, value, ttl }: CacheValue) {
    this.key = compileTemplate(key, 'text');
    this.value = compileBody(value, false);
    this.ttl = ttl;
  }

  entry(fill: FilledTemplates): Entry {
    return { key: fill.text(this.key), value: fill.event.kind === 'delete' ? null : fill.text(this.value), ttl: this.ttl };
  }
}

/** @returns whether it was the newest */
async function write(redis: RedisConnection, { key, value, ttl }: Entry, changeNumber: number): Promise<boolean> {
  const [expiry, remembered] = ttl === null ? ['', ''] : [String(ttl), String(Math.max(ttl, REMEMBERED))];
  const exists = value === null ? '' : '1';
  return (await redis.eval(SET_IF_NEWER, 2, key, versionKeyOf(key), String(changeNumber), expiry, value ?? '', exists, remembered)) === 1;
}

/** In a cluster it lies where the key lies: it has the same hash tag. */
function versionKeyOf(key: string): string {
  return /^[^{]*\{[^}]+\}/.test(key) ? `${key}:observers-version` : `{${key}}:observers-version`;
}

/** One by one: in a cluster the keys of one command must lie together. */
async function removeKeys(redis: RedisConnection, keys: readonly string[]): Promise<void> {
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

function nodesOf(redis: RedisConnection): Redis[] {
  return 'nodes' in redis ? redis.nodes('master') : [redis];
}
