import { Redis } from 'ioredis';
import type { Pool } from 'pg';
import { createPool } from '../../src/database/postgres';
import type { RedisClient } from '../../src/connections/redis/redis-client';
import { RedisDedup } from '../../src/dedup/redis-dedup';
import type { Claim, DedupKey } from '../../src/dedup/dedup-store';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { describeWith, program } from '../support/missing-server';
import { redisClientOf } from '../support/redis-clients';
import { startFailoverCluster, startSentinels, type ClusterFleet, type SentinelFleet } from '../support/redis-fleets';
import { startRedis, type TestRedis } from '../support/redis-server';
import { SpawnedServer } from '../support/spawned-server';
import { eventually, until } from '../support/until';

const LONG = 60_000;
/** What a delivery waits for Redis at most, in these tests too. */
const TIMEOUT = 50;

let database: TestDatabase;
let pool: Pool;
const clients: RedisClient[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 5);
});

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

let keys = 0;
const someKey = (): ((changeNumber: number) => DedupKey) => {
  const key = Buffer.alloc(32);
  key.writeUInt32BE(++keys);
  return (changeNumber) => ({ observer: 'o', action: 'a', key, changeNumber });
};
const dedupOn = async (url: string, redisTimeout = TIMEOUT): Promise<{ store: RedisDedup; client: RedisClient }> => {
  const client = redisClientOf('dedup', url, { redisTimeout });
  clients.push(client);
  await client.open('OBSERVERS_DEDUP_DRIVER');
  const store = new RedisDedup(client, pool);
  // What it asks of PostgreSQL once.
  await store.release(someKey()(1)).catch(() => undefined);
  return { store, client };
};
/** Once Redis answers again. */
const claimed = (store: RedisDedup, key: DedupKey, timeout?: number): Promise<Claim> =>
  eventually(
    () => store.claim(key, LONG),
    ({ is }) => is !== 'unknown',
    timeout,
  );

describeWith(program('redis-server'), () => {
  describe('one server', () => {
    let redis: TestRedis;
    beforeAll(async () => void (redis = await startRedis(['--enable-debug-command', 'yes'])));
    afterAll(() => redis.close());

    test('of forty claims by two instances at once one is granted', async () => {
      const [one, two] = [await dedupOn(redis.url, 5_000), await dedupOn(redis.url, 5_000)];
      const key = someKey();
      const claims = await Promise.all(Array.from({ length: 40 }, (_, i) => [one, two][i % 2]!.store.claim(key(i), LONG)));
      expect(claims.filter(({ is }) => is === 'granted')).toHaveLength(1);
    });

    test('slow: a call is given up after its time-out, and is answered again when the server is', async () => {
      const { store, client } = await dedupOn(redis.url);
      await redis.client.call('CLIENT', 'PAUSE', '400', 'ALL');
      const begun = performance.now();
      expect(await store.claim(someKey()(1), LONG)).toEqual({ is: 'unknown', reason: `no answer within ${TIMEOUT} ms` });
      expect(performance.now() - begun).toBeLessThan(350);
      expect(client.state).toMatchObject({ use: 'dedup', up: false });
      expect(await claimed(store, someKey()(1))).toEqual({ is: 'granted' });
      expect(client.state).toMatchObject({ up: true, reason: null });
      expect(client.state.unanswered).toBeGreaterThan(0);
    });

    test('silent: after a few calls in a row the others do not wait for their time-out', async () => {
      const { store } = await dedupOn(redis.url);
      redis.server.pause();
      try {
        for (let i = 0; i < 5; i++) expect(await store.claim(someKey()(1), LONG)).toMatchObject({ is: 'unknown' });
        const begun = performance.now();
        for (let i = 0; i < 20; i++) expect(await store.claim(someKey()(1), LONG)).toMatchObject({ is: 'unknown' });
        expect(performance.now() - begun).toBeLessThan(10 * TIMEOUT);
      } finally {
        redis.server.resume();
      }
      expect(await claimed(store, someKey()(1))).toEqual({ is: 'granted' });
    });

    test('stopped and started again: nothing is known while it is away, and it is dialled by itself', async () => {
      const { store, client } = await dedupOn(redis.url);
      await redis.server.kill();
      await until(async () => (await store.claim(someKey()(1), LONG)).is === 'unknown');
      expect(client.state.reason).toMatch(/^the Redis of REDIS_URL cannot be reached: /);
      await redis.server.start();
      expect(await claimed(store, someKey()(1))).toEqual({ is: 'granted' });
    });

    test('flushed: what was done is forgotten, and what is under way can still be done', async () => {
      const { store } = await dedupOn(redis.url, 5_000);
      const [key, other] = [someKey(), someKey()];
      await store.claim(key(1), LONG);
      await store.claim(other(1), LONG);
      await store.done(other(1), LONG);
      await redis.client.flushall();
      expect(await store.claim(other(2), LONG)).toEqual({ is: 'granted' });
      await store.done(key(1), LONG);
      expect(await store.claim(key(2), LONG)).toEqual({ is: 'done', changeNumber: 1 });
    });

    test('scripts that the server has forgotten are given to it again', async () => {
      const { store } = await dedupOn(redis.url, 5_000);
      const key = someKey();
      expect(await store.claim(key(1), LONG)).toEqual({ is: 'granted' });
      await redis.client.script('FLUSH');
      expect(await store.claim(key(2), LONG)).toMatchObject({ is: 'busy', changeNumber: 1 });
    });

    test('full (OOM): nothing is claimed, the reason is told, and it is used again when there is room', async () => {
      const { store, client } = await dedupOn(redis.url);
      await redis.client.config('SET', 'maxmemory', '1');
      expect(await store.claim(someKey()(1), LONG)).toMatchObject({ is: 'unknown', reason: expect.stringContaining('OOM') as string });
      expect(client.state.reason).toContain('OOM');
      // It is no reason not to start.
      const late = redisClientOf('dedup', redis.url);
      clients.push(late);
      await late.open('OBSERVERS_DEDUP_DRIVER');
      expect(late.state).toMatchObject({ up: false });
      await redis.client.config('SET', 'maxmemory', '0');
      expect(await claimed(store, someKey()(1))).toEqual({ is: 'granted' });
    });

    test('evicting: a key that is thrown out lets a delivery be made twice, and no more', async () => {
      const { store } = await dedupOn(redis.url, 5_000);
      const key = someKey();
      await store.claim(key(1), LONG);
      await store.done(key(1), LONG);
      await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
      await redis.client.config('SET', 'maxmemory', '1');
      await until(async () => (await redis.client.dbsize()) === 0);
      await redis.client.config('SET', 'maxmemory', '0');
      await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
      expect(await store.claim(key(2), LONG)).toEqual({ is: 'granted' });
    });

    test('read-only: a server that has become a replica takes nothing, and one that is the master again does', async () => {
      const { store, client } = await dedupOn(redis.url);
      await redis.client.call('REPLICAOF', '127.0.0.1', '9');
      await until(
        async () => (await store.claim(someKey()(1), LONG)).is === 'unknown' && client.state.reason?.includes('READONLY') === true,
      );
      await redis.client.call('REPLICAOF', 'NO', 'ONE');
      expect(await claimed(store, someKey()(1))).toEqual({ is: 'granted' });
    });

    test('a value of somebody else under our key is told, and nothing is skipped for it', async () => {
      const { store, client } = await dedupOn(redis.url, 5_000);
      const key = someKey();
      await redis.client.flushall();
      await store.claim(key(1), LONG);
      const [name = ''] = await redis.client.keys(client.key('dedup:*'));
      await redis.client.del(name);
      await redis.client.lpush(name, 'x');
      expect(await store.claim(key(2), LONG)).toMatchObject({ is: 'unknown', reason: expect.stringContaining('WRONGTYPE') as string });
      await redis.client.set(name, 'hello');
      expect(await store.claim(key(2), LONG)).toEqual({ is: 'granted' });
    });
  });

  test('LOADING: until it is through, nothing is known; then it is used', async () => {
    const redis = await startRedis(['--save', '3600 1']);
    const pipeline = redis.client.pipeline();
    for (let i = 0; i < 3_000; i++) pipeline.set(`k${i}`, 'v'.repeat(100));
    await pipeline.exec();
    const { store } = await dedupOn(redis.url);
    await redis.client.save();
    await redis.server.kill();
    const slow = ['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024'];
    const args = ['--port', String(redis.port), '--bind', '127.0.0.1', '--dir', redis.server.folder, ...slow];
    const loading = new SpawnedServer('redis-server', () => args, /Server initialized/);
    await loading.start();
    const asked = new Redis(redis.url, { retryStrategy: () => 20, enableReadyCheck: false });
    asked.on('error', () => undefined);
    await eventually(() => asked.get('k1').catch((error: Error) => error.message), (answer) => /^LOADING/.test(answer ?? '')); // prettier-ignore
    expect((await store.claim(someKey()(1), LONG)).is).toBe('unknown');
    expect(await claimed(store, someKey()(1))).toEqual({ is: 'granted' });
    asked.disconnect();
    await loading.remove();
    await redis.close();
  });

  describe('three sentinels', () => {
    let fleet: SentinelFleet;
    beforeAll(async () => void (fleet = await startSentinels()));
    afterAll(() => fleet.close());

    test('the replica takes over: what was done before is known, and until then deliveries go on', async () => {
      const { store } = await dedupOn(fleet.url);
      const key = someKey();
      expect(await claimed(store, key(1))).toEqual({ is: 'granted' });
      await store.done(key(1), LONG);
      await fleet.replicated();
      await fleet.servers[0]!.server.kill();
      await until(async () => (await store.claim(someKey()(1), LONG)).is === 'unknown');
      expect(await claimed(store, key(2), 30_000)).toEqual({ is: 'done', changeNumber: 1 });
      expect(await claimed(store, someKey()(1))).toEqual({ is: 'granted' });
    }, 60_000);

    test('a name that no sentinel knows is refused', async () => {
      const client = redisClientOf('dedup', fleet.url.replace('#shop', '#other'));
      await expect(client.open('OBSERVERS_DEDUP_DRIVER')).rejects.toThrow(/^OBSERVERS_DEDUP_DRIVER=redis: no sentinel in REDIS_URL names a master that is there/); // prettier-ignore
    });
  });

  describe('a cluster of three', () => {
    let fleet: ClusterFleet;
    beforeAll(async () => void (fleet = await startFailoverCluster()));
    afterAll(() => fleet.close());

    /** One key in each third of the slots, and more. */
    const many = (): ((changeNumber: number) => DedupKey)[] => Array.from({ length: 30 }, someKey);

    test('MOVED: slots that move to another node are followed', async () => {
      const { store } = await dedupOn(fleet.url, 5_000);
      const all = many();
      for (const key of all) expect(await store.claim(key(1), LONG)).toEqual({ is: 'granted' });
      const { master, replica } = await fleet.pair();
      await fleet.replicated();
      await replica.client.call('CLUSTER', 'FAILOVER');
      await until(async () => (await fleet.pair()).master === replica);
      for (const key of all) expect(await claimed(store, key(2))).toMatchObject({ is: 'busy', changeNumber: 1 });
      // For the next test.
      await until(async () => (await master.client.info('replication')).includes('master_link_status:up'));
    }, 60_000);

    test('a master is killed: its replica takes over, and what was done before is known', async () => {
      const { store } = await dedupOn(fleet.url);
      const all = many();
      for (const key of all) {
        expect(await claimed(store, key(1))).toEqual({ is: 'granted' });
        await store.done(key(1), LONG);
      }
      await fleet.replicated();
      await (await fleet.pair()).master.server.kill();
      for (const key of all) expect(await claimed(store, key(2), 30_000)).toEqual({ is: 'done', changeNumber: 1 });
    }, 60_000);

    test('without quorum nothing is known, and no service begins', async () => {
      const { store } = await dedupOn(fleet.url);
      for (const { server } of fleet.others) await server.kill();
      await until(async () => {
        const claims = await Promise.all(many().map((key) => store.claim(key(1), LONG)));
        return claims.every(({ is }) => is === 'unknown');
      }, 30_000); // prettier-ignore
      await eventually(
        () => redisClientOf('dedup', fleet.alone.url).open('OBSERVERS_DEDUP_DRIVER').then(() => '', (error: Error) => error.message), // prettier-ignore
        (message) => message.startsWith('OBSERVERS_DEDUP_DRIVER=redis: the Redis cluster has no quorum'),
        30_000,
      );
    }, 60_000);
  });
});
