import type { RetryPolicy } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { status } from '../support/receiver';
import { endpointOf, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { eventually, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key)');

/** Two tries that count, 50 ms apart; no wait is longer than 2 s. */
const RETRY: RetryPolicy = { strategy: 'fixed', maxAttempts: 2, initialDelay: 50, maxDelay: 2_000, maxElapsed: null, schedule: [] };

/** Refuses so many times, then works. @returns the waits between the requests, and the tries on record */
async function refuse(times: number, code: number, retryAfter: () => string | string[]): Promise<{ waits: number[]; tries: object[] }> {
  given.receiver.answer = (_request, response) => {
    if (given.receiver.requests.length > times) response.writeHead(204).end();
    else response.setHeader('retry-after', retryAfter()).writeHead(code).end();
  };
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`), { retry: RETRY })]);
  await given.database.query('insert into orders (id) values (1)');
  const ask = () => given.database.query('select attempt, outcome, status from observers.attempt order by finished_at');
  const tries = await eventually(ask, (all) => ['succeeded', 'dead'].includes(String(all.at(-1)?.['outcome'])));
  expect(new Set(given.receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  const at = given.receiver.requests.map((request) => request.at);
  return { waits: at.slice(1).map((time, i) => time - (at[i] ?? 0)), tries };
}

// The worker looks for due deliveries every 200 ms; what is above is for a busy machine. A second is less than what its own back-off may be told from.
test.each<[what: string, retryAfter: string | string[], least: number, most: number]>([
  ['1 second', '1', 1_000, 10_000],
  ['1 second, in two headers', ['1', '0'], 1_000, 10_000],
  ['1 second, with spaces about it', ' 1 ', 1_000, 10_000],
  ['ten years, which is capped at max_delay', '315360000', 2_000, 30_000],
  ['more digits than a number has', '9'.repeat(400), 2_000, 30_000],
  ['a date in ten years, which is capped as well', new Date(Date.now() + 3e11).toUTCString(), 2_000, 30_000],
  ['no time at all, which is a second', '0', 1_000, 10_000],
  ['a date that is past, which is now, which is a second', 'Wed, 21 Oct 2015 07:28:00 GMT', 1_000, 10_000],
  ['a negative number: its own back-off goes', '-5', 50, 900],
  ['something else: its own back-off goes', 'tomorrow, perhaps', 50, 900],
])('a receiver that answers 429 and asks for %s', async (_what, retryAfter, least, most) => {
  const { waits, tries } = await refuse(1, 429, () => retryAfter);
  expect(tries).toMatchObject([{ outcome: 'retry', status: 429 }, { outcome: 'succeeded' }]);
  expect(waits[0]).toBeGreaterThanOrEqual(least - 5);
  expect(waits[0]).toBeLessThan(most);
});

test('an appointment may be an HTTP date', async () => {
  // Whole seconds: two from now are at least one and a bit.
  const { waits } = await refuse(1, 503, () => new Date(Date.now() + 2_000).toUTCString());
  expect(waits[0]).toBeGreaterThan(900);
  expect(waits[0]).toBeLessThan(10_000);
});

test('an appointment does not use up a try: three of them, and the policy grants two tries', async () => {
  const { tries } = await refuse(3, 429, () => '0');
  expect(tries).toMatchObject([...Array<object>(3).fill({ attempt: 1, outcome: 'retry' }), { attempt: 1, outcome: 'succeeded' }]);
});

test('how often a receiver has asked for later outlives the service: the last free appointment is not granted once more', async () => {
  given.receiver.answer = status(503, { 'retry-after': '0' });
  const observers = [observerOf('all', endpointOf(`${given.receiver.url}/hook`), { retry: RETRY })];
  await given.start(observers);
  await given.database.query('insert into orders (id) values (1)');
  const row = (wanted: number): Promise<unknown> =>
    untilRows(given.database, `select from observers.pending_delivery where state = 'retrying' and appointments = ${wanted}`, 1);
  await row(1);
  await given.stop();
  await given.database.query('update observers.pending_delivery set appointments = appointments + 18');
  await given.start(observers);
  await row(20);
  const [letter] = await untilRows(given.database, 'select message, attempts from observers.dead_letter', 1);
  expect(letter).toMatchObject({
    attempts: 2,
    message: containing('22 times in a row, and only 20 of these use up no attempt; all 2 attempts failed'),
  });
  const tries = await given.database.query('select attempt, outcome, message from observers.attempt order by finished_at');
  expect(tries.slice(-3)).toMatchObject([
    { attempt: 1, outcome: 'retry', message: 'the receiver answered 503' },
    { attempt: 1, outcome: 'retry', message: containing('21 times in a row') },
    { attempt: 2, outcome: 'dead', message: containing('22 times in a row') },
  ]);
});

test('without an appointment a 429 does use up a try', async () => {
  const { tries } = await refuse(5, 429, () => 'soon');
  expect(tries).toMatchObject([
    { attempt: 1, outcome: 'retry' },
    { attempt: 2, outcome: 'dead' },
  ]);
});

test('a Retry-After with a 500 is waited for, and the try counts', async () => {
  const { waits, tries } = await refuse(5, 500, () => '1');
  expect(tries).toMatchObject([
    { attempt: 1, outcome: 'retry' },
    { attempt: 2, outcome: 'dead' },
  ]);
  expect(waits[0]).toBeGreaterThanOrEqual(995);
});
