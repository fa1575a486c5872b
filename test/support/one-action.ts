import type { ActionDefinition, RetryPolicy } from '../../src/event/definitions';
import type { Settings } from '../../src/config/settings';
import { createTestDatabase, type TestDatabase } from './database';
import { endpointOf, FAST_RETRY, observerOf, startStream, type TestStream } from './stream';
import { atLeast, untilRows } from './until';

export interface Attempt {
  readonly outcome: string;
  readonly error: string | null;
}

/** What the tests of an action are given that goes to a server of its own. */
export interface GivenAction {
  readonly database: TestDatabase;
  /** A stream whose one observer has this action. */
  start(action: ActionDefinition, settings: Partial<Settings>, retry?: RetryPolicy): Promise<void>;
  /** Before the test ends. */
  stop(): Promise<void>;
  /** So many or more, in their order. */
  readonly attempts: (count: number) => Promise<Attempt[]>;
  readonly succeeded: (count: number) => Promise<unknown>;
  /** The one dead letter. */
  readonly dead: () => Promise<Record<string, unknown>>;
}

/** Each test of the file has a database with a captured table `public.orders`. @param key the type of its key */
export function givenAction(key = 'text'): GivenAction {
  let database: TestDatabase;
  let stream: TestStream | null;
  const stop = async (): Promise<void> => {
    await stream?.stop();
    stream = null;
  };
  beforeEach(async () => {
    stream = null;
    database = await createTestDatabase();
    await database.query(`create table public.orders (id ${key} primary key, customer text, total numeric)`);
    await database.capture('public.orders');
  });
  afterEach(async () => {
    await stop();
    await database.drop();
  });
  return {
    get database() {
      return database;
    },
    async start(action, settings, retry = FAST_RETRY) {
      const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action], retry });
      stream = await startStream(database.url, [observer], { settings });
    },
    stop,
    attempts: (count) => untilRows<Attempt>(database, 'select outcome, error from observers.attempt order by finished_at', atLeast(count)),
    succeeded: (count) => untilRows(database, "select from observers.attempt where outcome = 'succeeded'", count),
    dead: async () => (await untilRows(database, 'select error, message, attempts from observers.dead_letter', 1))[0]!,
  };
}
