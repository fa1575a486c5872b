import type { CacheActionDefinition } from '../../src/event/definitions';
import { describeWith, program } from '../support/missing-server';
import { startRedis, startRedisCluster, type TestRedis } from '../support/redis-server';
import { givenAction } from '../support/one-action';
import { FAST_RETRY } from '../support/stream';
import { containing, matching } from '../support/texts';
import { until, untilRows } from '../support/until';

const given = givenAction('bigint');
const { attempts, dead } = given;

const start = async (redisUrl: string, changed: Partial<CacheActionDefinition>, retry = FAST_RETRY): Promise<void> => {
  const action: CacheActionDefinition = { type: 'cache', name: 'cache', keys: [], patterns: [], set: null, timeout: 5_000, ...changed };
  await given.start(action, { redisUrl }, retry);
};

describeWith(
  program('redis-server'),
  () => {
    let redis: TestRedis;
    beforeEach(async () => {
      redis = await startRedis();
    });
    afterEach(() => redis.close());

    test('keys and what patterns fit are removed, and nothing else', async () => {
      const { client } = redis;
      for (let i = 0; i < 3_000; i++) await client.set(`orders:alice:${i}`, '1');
      for (const key of ['order:7', 'order:8', 'orders:bob:1', 'orders:alice']) await client.set(key, '1');
      await start(redis.url, { keys: ['order:{{ entity.key }}', 'absent'], patterns: ['orders:{{ customer }}:*'] });
      await given.database.query("insert into orders values (7, 'alice', 1)");
      expect(await attempts(1)).toEqual([{ outcome: 'succeeded', error: null }]);
      expect((await client.keys('*')).sort()).toEqual(['order:8', 'orders:alice', 'orders:bob:1']);
    });

    test.each([
      ['*', ['orders:*:x']],
      ['a?c', ['orders:a?c:x']],
      ['[ab]', ['orders:[ab]:x']],
      ['a\\*', ['orders:a\\*:x']],
      ['^-]', ['orders:^-]:x']],
    ])('in a pattern the value %s stands for itself', async (customer, removed) => {
      const { client } = redis;
      const others = ['orders:abc:x', 'orders:a:x', 'orders:b:x', 'orders::x'];
      for (const key of [...others, ...removed]) await client.set(key, '1');
      await start(redis.url, { patterns: ['orders:{{ customer }}:*'] });
      await given.database.query('insert into orders values (7, $1, 1)', [customer]);
      await attempts(1);
      expect((await client.keys('*')).sort()).toEqual([...others].sort());
    });

    test.each([null, ''])('a pattern whose value is %j would fit too much, and removes nothing', async (customer) => {
      await redis.client.set('orders::x', '1');
      await start(redis.url, { patterns: ['orders:{{ customer }}*'] });
      await given.database.query('insert into orders values (7, $1, 1)', [customer]);
      expect(await dead()).toMatchObject({ error: 'template', message: containing('empty or missing') });
      expect(await redis.client.exists('orders::x')).toBe(1);
    });

    test('a value is set with its digits and its time to live, changed with the row, and removed with it', async () => {
      const { client } = redis;
      await start(redis.url, {
        set: { key: 'order:{{ entity.key }}', value: { total: '{{ total | json }}', of: '{{ customer }}' }, ttl: 60_000 },
      });
      await given.database.query(`insert into orders values (7, '"},"admin":true', 12345678901234567890.12)`);
      await attempts(1);
      expect(await client.get('order:7')).toBe('{"total":12345678901234567890.12,"of":"\\"},\\"admin\\":true"}');
      expect(await client.pttl('order:7')).toBeGreaterThan(55_000);
      await given.database.query('update orders set total = 2');
      await attempts(2);
      expect(await client.get('order:7')).toContain('"total":2,');
      await given.database.query('delete from orders');
      await attempts(3);
      expect(await client.exists('order:7')).toBe(0);
    });

    test('an older change that comes late neither overwrites a newer one nor brings back what was deleted', async () => {
      const { client } = redis;
      const set = { key: 'order:{{ entity.key }}', value: '{{ total }}', ttl: null };
      await start(redis.url, { set }, { ...FAST_RETRY, maxAttempts: 1 });
      await client.set('{order:7}:observers-version', 'x'.repeat(30));
      await given.database.query("insert into orders values (7, 'a', 1)");
      expect((await attempts(1))[0]).toMatchObject({ outcome: 'skipped' });
      await client.flushall();
      await given.database.query("update orders set total = 2; delete from orders; insert into orders values (7, 'a', 3)");
      await attempts(4);
      expect(await client.get('order:7')).toBe('3');
      const [{ newest }] = (await given.database.query<{ newest: string }>(
        'select max(change_number)::text as newest from observers.attempt',
      )) as [{ newest: string }];
      expect(await client.get('{order:7}:observers-version')).toBe(newest);
    });

    test('while it is away nothing is lost, and a lost connection is dialled again', async () => {
      const { server, client } = redis;
      client.disconnect();
      await start(redis.url, { keys: ['order:{{ entity.key }}'] }, { ...FAST_RETRY, maxAttempts: 100, initialDelay: 100 });
      await given.database.query("insert into orders values (7, 'a', 1)");
      await attempts(1);
      await server.kill();
      await given.database.query("insert into orders values (8, 'a', 1)");
      expect((await attempts(2))[1]).toMatchObject({ outcome: 'retry', error: 'connection' });
      await server.start();
      await untilRows(given.database, "select from observers.attempt where outcome = 'succeeded'", 2);
    });

    test('a server that hangs is a timeout', async () => {
      await start(redis.url, { keys: ['x'], timeout: 200 }, { ...FAST_RETRY, maxAttempts: 1 });
      await given.database.query("insert into orders values (7, 'a', 1)");
      await attempts(1);
      redis.server.pause();
      await given.database.query("insert into orders values (8, 'a', 1)");
      expect(await dead()).toMatchObject({
        error: 'timeout',
        message: containing('no answer from Redis within 200 ms'),
      });
      redis.server.resume();
    });

    test.each([
      ['of another type', (url: string) => url, 'refused', /WRONGTYPE/],
      ['on a port where nobody listens', () => 'redis://127.0.0.1:9', 'connection', /ECONNREFUSED/],
      ['at a host that there is not', () => 'redis://no-such-host.invalid', 'dns', /no-such-host/],
    ])('%s', async (_what, urlOf, error, message) => {
      await redis.client.lpush('{order:7}:observers-version', 'a list');
      await start(urlOf(redis.url), { set: { key: 'order:7', value: 'x', ttl: null } }, { ...FAST_RETRY, maxAttempts: 1 });
      await given.database.query("insert into orders values (7, 'a', 1)");
      const letter = await dead();
      expect(letter).toMatchObject({ error, message: matching(message) });
      expect(JSON.stringify(letter)).not.toContain('CANARY');
    });

    test.each([
      ['no password', (url: string) => url],
      ['a wrong one', (url: string) => url.replace('//', '//:CANARY-wrong@')],
      ['a user who may only read', (url: string) => url.replace('//', '//reader:CANARY-reader@')],
    ])('%s where one is asked for is told with the name of the setting, and without it', async (_what, urlOf) => {
      await redis.client.call('ACL', 'SETUSER', 'reader', 'on', '>CANARY-reader', '~*', '+@read', '+info', '+client');
      await redis.client.config('SET', 'requirepass', 'CANARY-right');
      await start(urlOf(redis.url), { keys: ['order:7'] });
      await given.database.query("insert into orders values (7, 'a', 1)");
      const letter = await dead();
      expect(letter).toMatchObject({ error: 'configuration', message: containing('REDIS_URL'), attempts: 1 });
      expect(JSON.stringify(letter)).not.toContain('CANARY');
    });

    test('a server that is full or only reads is tried again', async () => {
      await redis.client.config('SET', 'maxmemory', '1');
      await start(redis.url, { set: { key: 'order:7', value: 'x', ttl: null } });
      await given.database.query("insert into orders values (7, 'a', 1)");
      expect((await attempts(1))[0]).toEqual({ outcome: 'retry', error: 'unavailable' });
      await redis.client.config('SET', 'maxmemory', '0');
      await until(async () => (await redis.client.get('order:7')) === 'x');
    });
  },
  'a Redis',
);

describeWith(
  program('redis-server'),
  () => {
    test('is noticed: keys are removed and set on whatever node they lie', async () => {
      const redis = await startRedisCluster();
      const { cluster, url } = redis;
      try {
        for (let i = 0; i < 200; i++) await cluster.set(`orders:alice:${i}`, '1');
        await cluster.set('orders:bob:1', '1');
        await start(url, {
          keys: ['a', 'b', 'c', 'd'],
          patterns: ['orders:{{ customer }}:*'],
          set: { key: 'order:{{ entity.key }}', value: '{{ total }}', ttl: 60_000 },
        });
        for (let id = 1; id <= 10; id++) await given.database.query("insert into orders values ($1, 'alice', $2)", [id, id]);
        expect(await attempts(10)).toEqual(Array.from({ length: 10 }, () => ({ outcome: 'succeeded', error: null })));
        const left = (await Promise.all(cluster.nodes('master').map((node) => node.keys('orders:*')))).flat();
        expect(left).toEqual(['orders:bob:1']);
        expect(await Promise.all([1, 5, 10].map((id) => cluster.get(`order:${id}`)))).toEqual(['1', '5', '10']);
      } finally {
        await given.stop();
        await redis.close();
      }
    });
  },
  'a Redis cluster',
);
