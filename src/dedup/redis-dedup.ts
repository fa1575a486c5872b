import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { RedisUnavailable, type RedisClient } from '../connections/redis/redis-client';
import { Script } from '../connections/redis/script';
import { DedupStore, type Claim, type DedupKey } from './dedup-store';

// A key holds `p` (under way) or `d` (done) and the change number; its time to live is the lease, or the window. Change numbers are compared as texts:
// Lua's numbers are exact to 2^53 only.

const CLAIM = new Script(`
  local found = redis.call('GET', KEYS[1])
  local state, change = string.match(found or '', '^([pd])(%d+)$')
  if state == 'd' then return {'done', change} end
  if state == 'p' and change ~= ARGV[1] then return {'busy', change, redis.call('PTTL', KEYS[1])} end
  redis.call('SET', KEYS[1], 'p' .. ARGV[1], 'PX', ARGV[2])
  return {'granted'}`);

// What Redis has forgotten meanwhile is done all the same.
const DONE = new Script(`
  local found = redis.call('GET', KEYS[1])
  if found and string.sub(found, 2) ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], 'd' .. ARGV[1], 'PX', ARGV[2])
  return 1`);

const RELEASE = new Script(`
  if redis.call('GET', KEYS[1]) == 'p' .. ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`);

/** Which database the changes are of: another one in the same Redis, a copy of this one too, has change numbers of its own. */
const IDENTITY = `
  select (select system_identifier::text from pg_control_system()) || '/' || oid || '/' || datname as identity
  from pg_database where datname = current_database()`;

/** Outlives processes, and is shared by all instances. Without Redis nothing is known, and every delivery is made. */
export class RedisDedup extends DedupStore {
  private database: Promise<string> | null = null;

  constructor(
    private readonly redis: RedisClient,
    private readonly pool: Pool,
  ) {
    super();
  }

  async claim(key: DedupKey, lease: number): Promise<Claim> {
    const name = await this.nameOf(key);
    try {
      const found = await this.redis.ask((redis) => CLAIM.run(redis, name, String(key.changeNumber), milliseconds(lease)));
      const [is, change, left] = found as [string, string?, number?];
      if (is === 'granted') return { is };
      const changeNumber = Number(change);
      return is === 'done' ? { is, changeNumber } : { is: 'busy', changeNumber, left: left ?? 0 };
    } catch (error) {
      if (error instanceof RedisUnavailable) return { is: 'unknown', reason: error.message };
      throw error;
    }
  }

  async done(key: DedupKey, window: number): Promise<void> {
    const name = await this.nameOf(key);
    await this.redis.ask((redis) => DONE.run(redis, name, String(key.changeNumber), milliseconds(window)));
  }

  async release(key: DedupKey): Promise<void> {
    const name = await this.nameOf(key);
    await this.redis.ask((redis) => RELEASE.run(redis, name, String(key.changeNumber)));
  }

  private async nameOf({ observer, action, key }: DedupKey): Promise<string> {
    this.database ??= this.identify();
    const parts = [await this.database, observer, action, key.toString('hex')];
    return this.redis.key(`dedup:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`);
  }

  private async identify(): Promise<string> {
    try {
      const { rows } = await this.pool.query<{ identity: string }>(IDENTITY);
      return rows[0]?.identity ?? '';
    } catch (error) {
      this.database = null;
      throw error;
    }
  }
}

function milliseconds(time: number): string {
  return String(Math.max(1, Math.round(time)));
}
