import { LOOKUP_CACHES } from '../../src/cache/cache.module';
import type { Asked, Life, LookupCache, Question } from '../../src/cache/lookup-cache';
import type { RedisClients } from '../../src/connections/redis/redis-clients';
import { SystemClock } from '../../src/event/clock';
import { failed } from '../../src/event/outcome';
import { describeWith, program } from '../support/missing-server';
import { redisClientsOf } from '../support/redis-clients';
import { startRedis, type TestRedis } from '../support/redis-server';
import { until } from '../support/until';

const LIFE: Life = { ttl: 60_000, staleFor: 0, timeout: 2_000 };
const REFUSED = failed('lookup', 'no');

const question = (text: string, changed: Partial<Question> = {}): Question => ({ lookup: 'customer', url: `http://crm/${text}`, text, ...changed }); // prettier-ignore
const answers = (text: string): (() => Promise<Asked>) => {
  const value = text === '' ? undefined : (JSON.parse(text) as string);
  return () => Promise.resolve({ value, text });
};
const never = (): Promise<Asked> => Promise.reject(new Error('it was asked'));

// Every driver behaves like this: a new one is a line in LOOKUP_CACHES, and is tested with it.
for (const [name, open] of Object.entries(LOOKUP_CACHES)) {
  if (name === 'redis') describeWith(program('redis-server'), () => behaves(name, open), name);
  else describe(name, () => behaves(name, open));
}

function behaves(name: string, open: (typeof LOOKUP_CACHES)[keyof typeof LOOKUP_CACHES]): void {
  let cache: LookupCache;
  let redis: TestRedis | null = null;
  let clients: RedisClients;

  beforeAll(async () => {
    if (name === 'redis') redis = await startRedis();
  });
  afterAll(() => redis?.close());
  beforeEach(async () => {
    if (redis !== null) await redis.client.flushall();
    clients = redisClientsOf(redis?.url ?? null);
    cache = open(new SystemClock(), clients);
    await clients.open();
  });
  afterEach(() => clients.close());

  test('what was not there is asked for, and from then on it is there at once, as it was given', async () => {
    expect(cache.get(question('a'))).toBeUndefined();
    const found = await cache.find(question('a'), LIFE, answers('{"deep":[1,null,"x"]}'));
    expect(found).toMatchObject({ value: { deep: [1, null, 'x'] }, tier: null, refresh: null });
    expect(cache.get(question('a'))).toMatchObject({ value: { deep: [1, null, 'x'] } });
    expect(cache.get(question('b'))).toBeUndefined();
  });

  test('that there is nothing is an answer too', async () => {
    await cache.find(question('a'), LIFE, answers(''));
    expect(cache.get(question('a'))).toMatchObject({ value: undefined });
    expect(cache.count).toBe(1);
  });

  test('a failure is told, and not kept', async () => {
    expect(await cache.find(question('a'), LIFE, () => Promise.resolve(REFUSED))).toEqual(REFUSED);
    expect(cache.get(question('a'))).toBeUndefined();
    expect(await cache.find(question('a'), LIFE, answers('1'))).toMatchObject({ value: 1 });
  });

  test('a later answer takes the place of an earlier one', async () => {
    const short = { ...LIFE, ttl: 1 };
    await cache.find(question('a'), short, answers('1'));
    await until(async () => ((await cache.find(question('a'), LIFE, answers('2'))) as { value: unknown }).value === 2);
    expect(cache.get(question('a'))).toMatchObject({ value: 2 });
    expect(cache.count).toBe(1);
  });

  test('answers of a look-up are asked for anew after it was invalidated, and no others', async () => {
    const other = question('other', { lookup: 'product' });
    for (const one of [question('a'), question('b'), other]) await cache.find(one, LIFE, answers('1'));
    await cache.invalidate({ lookup: 'customer' });
    expect([question('a'), question('b'), other].map((one) => cache.get(one)?.value)).toEqual([undefined, undefined, 1]);
    expect(await cache.find(question('a'), LIFE, answers('2'))).toMatchObject({ value: 2, tier: null });
  });

  test('answers of a URL are asked for anew after it was invalidated, whoever asked with which headers', async () => {
    const [one, two] = [question('a\nx: 1', { url: 'http://crm/a' }), question('a\nx: 2', { url: 'http://crm/a', lookup: 'other' })];
    for (const each of [one, two, question('b')]) await cache.find(each, LIFE, answers('1'));
    await cache.invalidate({ url: 'http://crm/a' });
    expect([one, two, question('b')].map((each) => cache.get(each)?.value)).toEqual([undefined, undefined, 1]);
    expect(await cache.find(two, LIFE, answers('2'))).toMatchObject({ value: 2, tier: null });
  });

  test('an answer that was asked for before an invalidation is not kept', async () => {
    const found = cache.find(question('a'), LIFE, async () => {
      await cache.invalidate({ lookup: 'customer' });
      return { value: 'old', text: '"old"' };
    });
    expect(await found).toMatchObject({ value: 'old' });
    expect(cache.get(question('a'))).toBeUndefined();
    expect(await cache.find(question('a'), LIFE, answers('"new"'))).toMatchObject({ value: 'new' });
  });

  test('it is bounded by the bytes of its answers: the ones used last stay', async () => {
    const text = JSON.stringify('x'.repeat(1 << 20));
    for (let i = 0; i < 50; i++) {
      await cache.find(question(`key ${i}`), LIFE, answers(text));
      cache.get(question('key 0'));
    }
    expect(cache.count).toBeLessThan(30);
    expect(cache.get(question('key 0'))).toBeDefined();
    expect(cache.get(question('key 49'))).toBeDefined();
    expect(cache.get(question('key 1'))).toBeUndefined();
  });

  test('what is there is not asked for', async () => {
    await cache.find(question('a'), LIFE, answers('1'));
    if (name === 'redis') expect(await cache.find(question('a'), LIFE, never)).toMatchObject({ value: 1, tier: 'redis' });
    expect(cache.get(question('a'))).toMatchObject({ value: 1 });
  });
}
