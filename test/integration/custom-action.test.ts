import { refused, retry, skipped, succeeded } from '../../src/actions/custom/outcomes';
import { CustomActions } from '../../src/actions/custom/custom-actions';
import type { CustomActionHandler, CustomActionRun, CustomDelivery } from '../../src/actions/custom/custom-action';
import type { CustomActionDefinition } from '../../src/event/definitions';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { endpointOf, FAST_RETRY, observerOf, startStream, type TestStream } from '../support/stream';
import { containing, matching } from '../support/texts';
import { atLeast, untilRows } from '../support/until';

let database: TestDatabase;
let stream: TestStream | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table public.orders (id int primary key, note text)');
  await database.capture('public.orders');
});

afterEach(async () => {
  await stream?.stop();
  await database.drop();
});

const start = async (run: CustomActionRun, changed: Partial<CustomActionDefinition> = {}): Promise<void> => {
  const limits = { concurrency: 4, rateLimit: null, circuitBreaker: null };
  const action: CustomActionDefinition = {
    type: 'custom',
    name: 'own',
    handler: 'own',
    options: { a: 1 },
    endpoint: 'all/own',
    limits,
    timeout: 2_000,
    ...changed,
  };
  const handler: CustomActionHandler = { prepare: () => run };
  const custom = new CustomActions(new Map([['own', handler]]), () => Promise.resolve());
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action], retry: FAST_RETRY });
  stream = await startStream(database.url, [observer], { custom });
};

const attempts = (count: number): Promise<{ outcome: string; error: string | null }[]> =>
  untilRows<{ outcome: string; error: string | null }>(
    database,
    'select outcome, error from observers.attempt order by finished_at',
    atLeast(count),
  );
const dead = async (): Promise<Record<string, unknown>> =>
  (await untilRows(database, 'select error, message, attempts from observers.dead_letter', 1))[0]!;

test('it gets the event, the envelope, the same id on every try, and which try it is', async () => {
  const deliveries: CustomDelivery[] = [];
  await start((delivery) => {
    deliveries.push(delivery);
    return Promise.resolve(delivery.attempt === 1 ? retry('not yet') : succeeded(201));
  });
  await database.query("insert into orders values (7, 'x')");
  expect(await attempts(2)).toEqual([
    { outcome: 'retry', error: 'unavailable' },
    { outcome: 'succeeded', error: null },
  ]);
  const [first, second] = deliveries as [CustomDelivery, CustomDelivery];
  expect([first.attempt, second.attempt]).toEqual([1, 2]);
  expect(second.id).toBe(first.id);
  expect(first).toMatchObject({ observer: 'all', action: 'own', cause: 'all/own', event: { entityKey: '7' } });
  expect(JSON.parse(first.envelope)).toMatchObject({ data: { id: 7, note: 'x' } });
});

test.each<[string, CustomActionRun, string]>([
  ['what it skips is skipped', () => Promise.resolve(skipped('nothing to do')), 'skipped'],
  ['what it did succeeded', () => Promise.resolve(succeeded()), 'succeeded'],
])('%s', async (_what, run, outcome) => {
  await start(run);
  await database.query("insert into orders values (7, 'x')");
  expect(await attempts(1)).toEqual([{ outcome, error: null }]);
});

test.each<[string, CustomActionRun, string, RegExp, number]>([
  ['what it refuses is dead at once', () => Promise.resolve(refused('no such project')), 'refused', /no such project/, 1],
  ['what it throws is tried again', () => Promise.reject(new Error('a bug')), 'internal', /a bug/, 4],
  [
    'what it throws before its promise too',
    () => {
      throw new Error('a bug');
    },
    'internal',
    /a bug/,
    4,
  ],
  ['an end without an outcome is no success', () => Promise.resolve(undefined as never), 'internal', /return succeeded/, 4],
])('%s', async (_what, run, error, message, tries) => {
  await start(run);
  await database.query("insert into orders values (7, 'x')");
  expect(await dead()).toMatchObject({ error, message: matching(message), attempts: tries });
});

test('it ends within its timeout whatever it does, and is told', async () => {
  let aborted = 0;
  await start((_delivery, signal) => new Promise(() => signal.addEventListener('abort', () => aborted++)), { timeout: 50 });
  await database.query("insert into orders values (7, 'x')");
  expect(await dead()).toMatchObject({
    error: 'timeout',
    message: containing('did not end within 50 ms'),
    attempts: 4,
  });
  expect(aborted).toBe(4);
});

test('no more run at once than its concurrency allows', async () => {
  let running = 0;
  let most = 0;
  await start(async () => {
    most = Math.max(most, ++running);
    await new Promise((done) => setTimeout(done, 20));
    running--;
    return succeeded();
  });
  await database.query("insert into orders select i, 'x' from generate_series(1, 40) i");
  await attempts(40);
  expect(most).toBe(4);
});
