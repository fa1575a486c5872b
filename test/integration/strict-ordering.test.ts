import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { EndpointDefinition, ObserverDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { status, type Received } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, type StreamOptions } from '../support/stream';
import { eventually, reaches, until, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, step int)');

const NEVER_GIVE_UP = { ...FAST_RETRY, initialDelay: 5, maxAttempts: 1_000 };
const hook = (changed: Partial<EndpointDefinition> = {}): EndpointDefinition => endpointOf(`${given.receiver.url}/hook`, changed);

async function start(changed: Partial<ObserverDefinition> = {}, options: StreamOptions = {}, endpoint = hook()): Promise<void> {
  await given.start([observerOf('all', endpoint, { ordering: 'strict', retry: NEVER_GIVE_UP, ...changed })], options);
}

/** Bytes, without garbage. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

/** `key:step`, of the requests that were answered with success. */
const accepted: string[] = [];
const said = ({ body }: Received): string => {
  const { entity, data } = JSON.parse(body) as { entity: { key: string }; data: { step: number } };
  return `${entity.key}:${data.step}`;
};
function answer(fails: (what: string) => boolean): void {
  accepted.length = 0;
  given.receiver.answer = (request, response) => {
    const what = said(request);
    const failed = fails(what);
    if (!failed) accepted.push(what);
    response.writeHead(failed ? 500 : 204).end();
  };
}
const stepsOf = (key: number): number[] => accepted.filter((what) => what.startsWith(`${key}:`)).map((what) => Number(what.split(':')[1]));
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

const begin = (keys: number): Promise<unknown> =>
  given.database.query('insert into orders select n, 1 from generate_series(1, $1::int) n', [keys]);
const advance = (): Promise<unknown> => given.database.query('update orders set step = step + 1');
const rows = (): Promise<{ key: string; state: string }[]> =>
  given.database.query("select split_part(lane, E'\\n', 2) as key, state from observers.pending_delivery order by lane, change_number");
const settled = (): Promise<unknown> => eventually(rows, (all) => all.length === 0);

test('what fails holds up what comes after it of the same entity, and nobody else', async () => {
  let broken = true;
  answer((what) => what === '1:2' && broken);
  await start();
  await begin(3);
  for (let step = 2; step <= 6; step++) await advance();
  await until(() => accepted.length === 13);
  expect(stepsOf(1)).toEqual([1]);
  expect(stepsOf(2)).toEqual(upTo(6));
  expect((await eventually(rows, (all) => all.length === 5)).map(({ state }) => state).slice(1)).toEqual(Array(4).fill('waiting'));
  broken = false;
  await settled();
  expect(stepsOf(1)).toEqual(upTo(6));
  // The lane is as free as it was: nothing of it stands in PostgreSQL any more.
  await advance();
  await until(() => stepsOf(1).length === 7);
});

test('a head that has failed for good parks its lane, and is in no queue that would let others pass', async () => {
  answer((what) => what === '1:1');
  await start({ retry: { ...FAST_RETRY, initialDelay: 1, maxAttempts: 3 } });
  await begin(2);
  await advance();
  const all = await eventually(rows, (found) => found.some(({ state }) => state === 'parked') && found.length === 2);
  expect(all).toEqual([
    { key: '1', state: 'parked' },
    { key: '1', state: 'waiting' },
  ]);
  expect(await given.database.query('select from observers.dead_letter')).toEqual([]);
  expect(
    await given.database.query("select attempt, outcome from observers.attempt where outcome <> 'succeeded' order by attempt"),
  ).toEqual([
    { attempt: 1, outcome: 'retry' },
    { attempt: 2, outcome: 'retry' },
    { attempt: 3, outcome: 'dead' },
  ]);
  expect(stepsOf(2)).toEqual([1, 2]);
});

test('a parked lane stays parked over a restart', async () => {
  answer((what) => what === '1:1');
  await start({ retry: { ...FAST_RETRY, maxAttempts: 1 } });
  await begin(1);
  await eventually(rows, ([row]) => row?.state === 'parked');
  await given.stop();
  await advance();
  await start();
  await eventually(rows, (all) => all.length === 2);
  await advance();
  await eventually(rows, (all) => all.length === 3 && all.slice(1).every(({ state }) => state === 'waiting'));
  expect(accepted).toEqual([]);
});

test('an observer that is no longer strict lets go of its lanes, and one that has become strict takes them up', async () => {
  answer((what) => what === '1:1');
  await start({ retry: { ...FAST_RETRY, initialDelay: 60_000, maxAttempts: 9 } });
  await begin(1);
  await advance();
  await eventually(rows, (all) => all.length === 2);
  await given.stop();
  await start({ ordering: 'none', retry: { ...FAST_RETRY, initialDelay: 60_000, maxAttempts: 9 } });
  await until(() => stepsOf(1).length === 1);
  await given.stop();
  await start({ retry: { ...FAST_RETRY, initialDelay: 60_000, maxAttempts: 9 } });
  await advance();
  // The head, taken back from the leader before, may still be at a try that fails.
  expect(await eventually(rows, (all) => all.length === 2 && all[0]?.state !== 'running')).toEqual([
    { key: '1', state: 'retrying' },
    { key: '1', state: 'waiting' },
  ]);
});

// A slow endpoint, a full one, a rate limit, a breaker: each takes deliveries to PostgreSQL and back on a way of its own.
test.each([
  ['with plenty of room', {}, {}],
  ['with one place', { concurrency: 1 }, { inlineBudget: 10 }],
  ['handed over at once', { concurrency: 2 }, { inlineBudget: 10, maxInFlight: 20 }],
  ['with a breaker', { circuitBreaker: { failureRate: 0.2, minimum: 5, window: 500, openFor: 100 } }, {}],
  ['with a rate limit', { rateLimit: { count: 200, per: 1_000 } }, { inlineBudget: 50 }],
])('random failures never change the order within an entity: %s', async (_what, endpoint, settings) => {
  const KEYS = 12;
  const STEPS = 12;
  answer(() => Math.random() < 0.3);
  const answering = given.receiver.answer;
  given.receiver.answer = (...exchange) => void setTimeout(() => answering(...exchange), Math.random() * 15);
  await start({}, { settings }, hook(endpoint));
  await begin(KEYS);
  for (let step = 2; step <= STEPS / 2; step++) await advance();
  // In the middle of everything: a stop, and a new term.
  await until(() => accepted.length > KEYS);
  await given.stop();
  await start({}, { settings }, hook(endpoint));
  for (let step = STEPS / 2 + 1; step <= STEPS; step++) await advance();
  await until(() => accepted.length >= KEYS * STEPS);
  await settled();
  for (let key = 1; key <= KEYS; key++) expect([key, stepsOf(key)]).toEqual([key, upTo(STEPS)]);
});

/** With 10,000 of them `npm run test:chaos` parks 100,000 deliveries, which takes minutes. */
const LANES = process.env['TEST_WHOLE'] === '1' ? 10_000 : 2_000;

test(`what is parked in ${LANES} lanes takes little memory, and leaves in order`, async () => {
  const STEPS = 10;
  answer(() => true);
  const breaker = { failureRate: 0.5, minimum: 20, window: 10_000, openFor: 500 };
  await start({ retry: { ...NEVER_GIVE_UP, initialDelay: 100 } }, {}, hook({ concurrency: 100, circuitBreaker: breaker }));
  const before = heapUsed();
  await begin(LANES);
  for (let step = 2; step <= STEPS; step++) await advance();
  await eventually(
    () => given.database.query<{ n: string }>('select count(*) as n from observers.pending_delivery'),
    ([row]) => row?.n === String(LANES * STEPS),
    60_000,
  );
  given.receiver.requests.length = 0;
  expect((heapUsed() - before) / 1_048_576).toBeLessThan(20 + LANES / 500);
  const last = new Map<string, number>();
  let outOfOrder = 0;
  let done = 0;
  given.receiver.answer = (request, response) => {
    const [key = '', step] = said(request).split(':');
    if (Number(step) !== (last.get(key) ?? 0) + 1) outOfOrder++;
    last.set(key, Number(step));
    done++;
    given.receiver.requests.length = 0;
    response.writeHead(204).end();
  };
  await reaches(() => done, LANES * STEPS);
  expect(outOfOrder).toBe(0);
}, 400_000);

test('other failures of an observer that is not strict park nothing', async () => {
  given.receiver.answer = status(400);
  await start({ ordering: 'none' });
  await begin(1);
  await untilRows(given.database, 'select from observers.dead_letter', 1);
  expect(await rows()).toEqual([]);
});

test('without failures nothing passes anything, strict or not, whatever the detours', async () => {
  const KEYS = 40;
  const STEPS = 15;
  answer(() => false);
  const answering = given.receiver.answer;
  given.receiver.answer = (...exchange) => void setTimeout(() => answering(...exchange), Math.random() * 40);
  // Everything waits longer than it may hold the stream: in memory, in PostgreSQL, and back again.
  await start({ ordering: 'none' }, { settings: { inlineBudget: 10, maxInFlight: 50 } }, hook({ concurrency: 4 }));
  await begin(KEYS);
  for (let step = 2; step <= STEPS; step++) await advance();
  await until(() => accepted.length >= KEYS * STEPS);
  for (let key = 1; key <= KEYS; key++) expect([key, stepsOf(key)]).toEqual([key, upTo(STEPS)]);
});
