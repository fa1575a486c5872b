import { createPool } from '../../src/database/postgres';
import type { DedupKey, DedupStore } from '../../src/dedup/dedup-store';
import { DEDUP_DRIVERS } from '../../src/dedup/dedup.module';
import { SystemClock } from '../../src/event/clock';
import type { RedisClients } from '../../src/connections/redis/redis-clients';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { describeWith, program } from '../support/missing-server';
import { redisClientsOf } from '../support/redis-clients';
import { startRedis, type TestRedis } from '../support/redis-server';
import { until } from '../support/until';

const LONG = 60_000;
let database: TestDatabase;
let pool: ReturnType<typeof createPool>;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 5);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

let keys = 0;
/** A content key that no other test has. */
const someKey = (): ((changeNumber: number, of?: Partial<DedupKey>) => DedupKey) => {
  const key = Buffer.alloc(32);
  key.writeUInt32BE(++keys);
  return (changeNumber, of = {}) => ({ observer: 'o', action: 'a', key, changeNumber, ...of });
};

// Every driver behaves like this: a new one is a line in DEDUP_DRIVERS, and is tested with it.
for (const [name, open] of Object.entries(DEDUP_DRIVERS)) {
  if (name === 'redis') describeWith(program('redis-server'), () => behaves(name, open), name);
  else describe(name, () => behaves(name, open));
}

function behaves(name: string, open: (typeof DEDUP_DRIVERS)[keyof typeof DEDUP_DRIVERS]): void {
  let store: DedupStore;
  let redis: TestRedis | null = null;
  let clients: RedisClients;

  beforeAll(async () => {
    if (name === 'redis') redis = await startRedis();
    clients = redisClientsOf(redis?.url ?? null);
    store = open(pool, new SystemClock(), clients);
    await clients.open();
  });

  afterAll(async () => {
    await clients.close();
    await redis?.close();
  });

  test('who claims first gets it, and the others are told for which change and how long', async () => {
    const key = someKey();
    expect(await store.claim(key(1), LONG)).toMatchObject({ is: 'granted' });
    const busy = await store.claim(key(2), LONG);
    expect(busy).toMatchObject({ is: 'busy', changeNumber: 1 });
    expect('left' in busy ? busy.left : 0).toBeGreaterThan(LONG - 10_000);
  });

  test('of twenty at once one gets it', async () => {
    const key = someKey();
    const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => store.claim(key(i), LONG)));
    expect(claims.filter(({ is }) => is === 'granted')).toHaveLength(1);
  });

  test('a claim of the same change is its own', async () => {
    const key = someKey();
    await store.claim(key(1), LONG);
    expect(await store.claim(key(1), LONG)).toMatchObject({ is: 'granted' });
  });

  test('a claim whose lease is over belongs to whoever comes, and its first holder takes nothing away any more', async () => {
    const key = someKey();
    await store.claim(key(1), 1);
    await until(async () => (await store.claim(key(2), LONG)).is === 'granted');
    await store.release(key(1));
    expect(await store.claim(key(3), LONG)).toMatchObject({ is: 'busy', changeNumber: 2 });
  });

  test('what is done is done for the window, for the same change too', async () => {
    const key = someKey();
    await store.claim(key(1), LONG);
    await store.done(key(1), LONG);
    expect(await store.claim(key(2), LONG)).toMatchObject({ is: 'done', changeNumber: 1 });
    expect(await store.claim(key(1), LONG)).toMatchObject({ is: 'done', changeNumber: 1 });
    await store.release(key(1));
    expect(await store.claim(key(2), LONG)).toMatchObject({ is: 'done', changeNumber: 1 });
  });

  test('after the window it is free', async () => {
    const key = someKey();
    await store.claim(key(1), LONG);
    await store.done(key(1), 1);
    await until(async () => (await store.claim(key(2), LONG)).is === 'granted');
  });

  test('what is released is free at once', async () => {
    const key = someKey();
    await store.claim(key(1), LONG);
    await store.release(key(1));
    expect(await store.claim(key(2), LONG)).toMatchObject({ is: 'granted' });
  });

  test('another observer, another action and another key are others', async () => {
    const key = someKey();
    await store.claim(key(1), LONG);
    for (const other of [key(2, { observer: 'p' }), key(2, { action: 'b' }), someKey()(2)])
      expect(await store.claim(other, LONG)).toMatchObject({ is: 'granted' });
  });

  test('who is done with a key that somebody else has taken over meanwhile leaves it alone', async () => {
    const key = someKey();
    await store.claim(key(1), 1);
    await until(async () => (await store.claim(key(2), LONG)).is === 'granted');
    await store.done(key(1), LONG);
    expect(await store.claim(key(3), LONG)).toMatchObject({ is: 'busy', changeNumber: 2 });
  });

  test('the largest change number is told in all its digits', async () => {
    const key = someKey();
    await store.claim(key(Number.MAX_SAFE_INTEGER), LONG);
    expect(await store.claim(key(1), LONG)).toMatchObject({ is: 'busy', changeNumber: Number.MAX_SAFE_INTEGER });
  });
}
