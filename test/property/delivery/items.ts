import type { Client, Pool } from 'pg';
import { connect, createPool } from '../../../src/database/postgres';
import { Clock } from '../../../src/event/clock';
import type { ObserverDefinition } from '../../../src/event/definitions';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { FAST_RETRY } from '../../support/stream';

/** Monotonic time passes when the test says so. */
export class TestClock extends Clock {
  time = 1_000;
  now(): number {
    return Date.now();
  }
  monotonic(): number {
    return this.time;
  }
}

/** Sends each update to the receiver, at an endpoint that all observers have in common: each is in the others' way. */
export function observerOf(name: string, concurrency: number, changed: Partial<ObserverDefinition> = {}): ObserverDefinition {
  const limits = { concurrency, rateLimit: null, circuitBreaker: null };
  return {
    name,
    entities: '*',
    kinds: ['update'],
    columns: null,
    ignoreUnchanged: true,
    strictTemplates: false,
    when: null,
    lookups: [],
    mode: 'live',
    ordering: 'none',
    dedup: null,
    onFailure: 'dlq',
    retry: { ...FAST_RETRY, initialDelay: 1, maxAttempts: 1_000 },
    actions: [{ type: 'custom', name: 'send', handler: 'receiver', options: {}, endpoint: 'receiver', limits, timeout: 600_000 }],
    ...changed,
  };
}

interface Items {
  readonly database: TestDatabase;
  readonly pool: Pool;
  readonly reader: Client;
}

/** A captured table `item` for all tests of a file. @param columns beside its key and version */
export function givenItems(columns = ''): Items {
  let items: Items;
  beforeAll(async () => {
    const database = await createTestDatabase();
    items = { database, pool: createPool(database.url, 4), reader: await connect(database.url, 'test reader') };
    await database.query(`create table item (id int primary key, version int${columns})`);
    await database.capture('public.item', { entity: 'Item' });
  });
  afterAll(async () => {
    await items.pool.end();
    await items.reader.end();
    await items.database.drop();
  });
  return {
    get database() {
      return items.database;
    },
    get pool() {
      return items.pool;
    },
    get reader() {
      return items.reader;
    },
  };
}
