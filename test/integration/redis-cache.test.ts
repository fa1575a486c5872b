import type { Asked, Life, Question } from '../../src/cache/lookup-cache';
import { RedisCache } from '../../src/cache/redis-cache';
import type { RedisClient } from '../../src/connections/redis/redis-client';
import { Clock } from '../../src/event/clock';
import { stringifyExactJson } from '../../src/event/json-document';
import { failed } from '../../src/event/outcome';
import { describeWith, program } from '../support/missing-server';
import { redisClientOf } from '../support/redis-clients';
import { startFailoverCluster, startSentinels, type Fleet } from '../support/redis-fleets';
import { startRedis, type TestRedis } from '../support/redis-server';
import { eventually, until } from '../support/until';

const LIFE: Life = { ttl: 60_000, staleFor: 600_000, timeout: 2_000 };

/** An instance's own: its zero is when it began. */
class OwnClock extends Clock {
  private readonly zero = performance.now();
  now(): number {
    return Date.now();
  }
  monotonic(): number {
    return performance.now() - this.zero;
  }
}

interface Instance {
  readonly cache: RedisCache;
  readonly client: RedisClient;
  readonly clock: Clock;
}

const instances: Instance[] = [];
const instanceOn = async (url: string, redisTimeout = 5_000): Promise<Instance> => {
  const client = redisClientOf('cache', url, { redisTimeout });
  await client.open('OBSERVERS_CACHE_DRIVER');
  const clock = new OwnClock();
  const instance = { cache: new RedisCache(client, clock), client, clock };
  instances.push(instance);
  return instance;
};
afterEach(() => {
  for (const { client } of instances.splice(0)) client.close();
});

let questions = 0;
/** One that no other test has. */
const someQuestion = (changed: Partial<Question> = {}): Question => {
  const url = `http://crm/customers/${++questions}`;
  return { lookup: 'customer', url, text: `customer\n${url}\nauthorization\nBearer SECRET-${questions}`, ...changed };
};
const answer = (text: string): Asked => ({ value: text === '' ? undefined : (JSON.parse(text) as string), text });
const asking = (text = '"gold"'): jest.Mock<Promise<Asked>> => jest.fn(() => Promise.resolve(answer(text)));
const later = (): { ask: () => Promise<Asked>; count: () => number; give: (asked: Asked) => void } => {
  const waiting: ((asked: Asked) => void)[] = [];
  return {
    ask: () => new Promise((resolve) => void waiting.push(resolve)),
    count: () => waiting.length,
    give: (asked) => waiting.forEach((resolve) => resolve(asked)),
  };
};

describeWith(program('redis-server'), () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis.close());

  test('what one instance has found another one need not ask for, with all digits, and as old as it is', async () => {
    const [one, two] = [await instanceOn(redis.url), await instanceOn(redis.url)];
    const question = someQuestion();
    const text = '{"points":12345678901234567890.50}';
    await one.cache.find(question, LIFE, asking(text));
    const found = await two.cache.find(question, LIFE, asking());
    if ('error' in found) throw new Error(found.message);
    expect(stringifyExactJson(found.value ?? null)).toBe(text);
    expect(found.tier).toBe('redis');
    expect(Math.abs(two.clock.monotonic() - found.at)).toBeLessThan(5_000);
    expect(two.cache.get(question)).toBeDefined();
  });

  test('that there is nothing is known to all, too', async () => {
    const [one, two] = [await instanceOn(redis.url), await instanceOn(redis.url)];
    const question = someQuestion();
    await one.cache.find(question, LIFE, asking(''));
    const ask = asking();
    expect(await two.cache.find(question, LIFE, ask)).toMatchObject({ value: undefined, tier: 'redis' });
    expect(ask).not.toHaveBeenCalled();
  });

  test('of ten instances that need the same answer at once one asks', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => instanceOn(redis.url)));
    const question = someQuestion();
    const { ask, count, give } = later();
    const found = all.map(({ cache }) => cache.find(question, LIFE, ask));
    await until(() => count() === 1);
    await until(async () => (await redis.client.keys('observers:cache:lock:*')).length === 1);
    give(answer('"gold"'));
    expect((await Promise.all(found)).map((one) => 'value' in one && one.value)).toEqual(Array(10).fill('gold'));
    expect(count()).toBe(1);
    expect(await redis.client.keys('observers:cache:lock:*')).toEqual([]);
  });

  test('when the one that asks fails the next one asks', async () => {
    const [one, two] = [await instanceOn(redis.url), await instanceOn(redis.url)];
    const question = someQuestion();
    const { ask, count, give } = later();
    const first = one.cache.find(question, LIFE, ask);
    await until(() => count() === 1);
    const second = two.cache.find(question, LIFE, asking());
    give(failed('lookup', 'no'));
    expect(await first).toMatchObject({ error: 'lookup' });
    expect(await second).toMatchObject({ value: 'gold', tier: null });
  });

  test('one that has gone while it asked is waited for no longer than asking may take', async () => {
    const [one, two] = [await instanceOn(redis.url), await instanceOn(redis.url)];
    const question = someQuestion();
    const { ask, count } = later();
    void one.cache.find(question, { ...LIFE, timeout: 300 }, ask);
    await until(() => count() === 1);
    one.client.close();
    expect(await two.cache.find(question, { ...LIFE, timeout: 300 }, asking())).toMatchObject({ value: 'gold', tier: null });
  });

  test('an old answer is there at once, and one instance asks for a newer one', async () => {
    const all = await Promise.all(Array.from({ length: 3 }, () => instanceOn(redis.url)));
    const question = someQuestion();
    await all[0]!.cache.find(question, LIFE, asking('"old"'));
    const old = { ...LIFE, ttl: 0 };
    const { ask, count, give } = later();
    const found = await Promise.all(all.map(({ cache }) => cache.find(question, old, ask)));
    expect(found.map((one) => 'value' in one && one.value)).toEqual(['old', 'old', 'old']);
    expect(count()).toBe(1);
    give(answer('"new"'));
    const refreshes = found.flatMap((one) => ('refresh' in one && one.refresh !== null ? [one.refresh] : []));
    expect(refreshes).toHaveLength(1);
    await refreshes[0];
    expect(await all[1]!.cache.find(question, LIFE, asking())).toMatchObject({ value: 'new', tier: 'redis' });
  });

  test('an invalidation by one reaches the first tier of all', async () => {
    const [one, two] = [await instanceOn(redis.url), await instanceOn(redis.url)];
    const [question, other] = [someQuestion(), someQuestion({ lookup: 'product' })];
    for (const { cache } of [one, two]) for (const each of [question, other]) await cache.find(each, LIFE, asking());
    await until(async () => String(await redis.client.call('PUBSUB', 'NUMSUB', 'observers:cache')).endsWith('2'));
    await eventually(
      async () => {
        await one.cache.invalidate({ lookup: 'customer' });
        await until(() => two.cache.get(question) === undefined);
        if (two.cache.get(other) === undefined) for (const each of [question, other]) await two.cache.find(each, LIFE, asking());
        return two.cache.get(other);
      },
      (kept) => kept !== undefined,
    );
    expect(one.cache.get(question)).toBeUndefined();
  });

  test('an instance that may not subscribe, or has missed the message, sees that there was one', async () => {
    await redis.client.call('ACL', 'SETUSER', 'quiet', 'on', '>quiet', '~observers:*', 'resetchannels', '+@all');
    const one = await instanceOn(redis.url);
    const two = await instanceOn(redis.url.replace('//', '//quiet:quiet@'));
    const question = someQuestion();
    await two.cache.find(question, LIFE, asking());
    await eventually(
      async () => {
        await two.cache.find(question, LIFE, asking());
        await one.cache.invalidate({ url: question.url });
        await until(() => two.cache.get(question) === undefined, 5_000);
        return true;
      },
      (gone) => gone,
    );
  });

  test('after FLUSHALL it is asked for again, and the first tiers are emptied', async () => {
    const one = await instanceOn(redis.url);
    const [question, other] = [someQuestion(), someQuestion()];
    await one.cache.invalidate({ lookup: 'nothing' });
    await one.cache.find(question, LIFE, asking());
    await until(async () => String(await redis.client.call('PUBSUB', 'NUMSUB', 'observers:cache')).endsWith('1'));
    await redis.client.flushall();
    const ask = asking();
    expect(await one.cache.find(other, LIFE, ask)).toMatchObject({ value: 'gold', tier: null });
    expect(ask).toHaveBeenCalledTimes(1);
  });

  test('what is nothing of ours under our key is asked for', async () => {
    const one = await instanceOn(redis.url);
    const question = someQuestion();
    await redis.client.flushall();
    await one.cache.find(question, LIFE, asking());
    const [key = ''] = await redis.client.keys('observers:cache:answer:*');
    for (const wrong of ['hello', '60000\n/\n{', '\n\n']) {
      await redis.client.set(key, wrong, 'PX', 60_000);
      expect(await one.cache.find(question, LIFE, asking('"again"'))).toMatchObject({ value: 'again', tier: null });
    }
  });

  test('no password of a question is in Redis', async () => {
    const one = await instanceOn(redis.url);
    await redis.client.flushall();
    await one.cache.find(someQuestion(), LIFE, asking());
    const keys = await redis.client.keys('*');
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.join()).not.toContain('SECRET');
    for (const key of keys) expect(await redis.client.get(key)).not.toContain('SECRET');
  });

  test('without Redis each asks for itself, and nothing fails or waits for long', async () => {
    const away = await startRedis();
    const one = await instanceOn(away.url, 50);
    const question = someQuestion();
    await away.server.kill();
    await until(() => !one.client.state.up || one.client.ask((client) => client.ping()).then(() => false, () => true)); // prettier-ignore
    const ask = asking();
    expect(await one.cache.find(question, LIFE, ask)).toMatchObject({ value: 'gold', tier: null });
    expect(one.cache.get(question)).toMatchObject({ value: 'gold' });
    expect(ask).toHaveBeenCalledTimes(1);
    await expect(one.cache.invalidate({ lookup: 'customer' })).rejects.toThrow();
    expect(one.cache.get(question)).toBeUndefined();
    await away.close();
  });

  test.each([
    ['three sentinels', startSentinels],
    ['a cluster', startFailoverCluster],
  ] as const)('with %s: one instance has what the other found, and both hear of invalidations', async (_name, start) => {
    const fleet: Fleet = await start();
    const [one, two] = [await instanceOn(fleet.url), await instanceOn(fleet.url)];
    const all = Array.from({ length: 10 }, () => someQuestion());
    for (const question of all) await one.cache.find(question, LIFE, asking());
    const ask = asking('"other"');
    for (const question of all) expect(await two.cache.find(question, LIFE, ask)).toMatchObject({ value: 'gold', tier: 'redis' });
    expect(ask).not.toHaveBeenCalled();
    await eventually(
      async () => {
        await one.cache.invalidate({ lookup: 'customer' });
        return all.every((question) => two.cache.get(question) === undefined);
      },
      (gone) => gone,
    );
    for (const { client } of instances.splice(0)) client.close();
    await fleet.close();
  });
});
