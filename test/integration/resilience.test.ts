import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { EndpointDefinition, ObserverDefinition } from '../../src/event/definitions';
import type { EndpointGate } from '../../src/resilience/endpoint-gate';
import { readStatus, type StreamStatus } from '../../src/status/status.sql';
import { givenOrders } from '../support/fixture';
import { startReceiver, status } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { eventually, until, untilRows } from '../support/until';

const BREAKER = { failureRate: 0.5, minimum: 5, window: 10_000, openFor: 300 };

const given = givenOrders('create table public.orders (id bigint primary key, note text)');

const hook = (changed: Partial<EndpointDefinition> = {}): EndpointDefinition => endpointOf(`${given.receiver.url}/hook`, changed);

async function start(endpoint: EndpointDefinition, changed: Partial<ObserverDefinition> = {}): Promise<void> {
  await given.start([observerOf('all', endpoint, changed)]);
}

const insert = (from: number, to: number): Promise<unknown> =>
  given.database.query('insert into orders (id) select generate_series($1::int, $2::int)', [from, to]);
const pending = (): Promise<{ state: string; attempt: number }[]> =>
  given.database.query('select state, attempt from observers.pending_delivery order by change_number');
const attempts = async (outcome: string): Promise<number> =>
  Number((await given.database.query<{ n: string }>('select count(*) as n from observers.attempt where outcome = $1', [outcome]))[0]?.n);
const endpoints = async (): Promise<StreamStatus['listeners'][number]['endpoints']> =>
  (await readStatus(given.database.client, 'main')).listeners.flatMap((listener) => listener.endpoints);

test('a failing receiver is left alone: deliveries wait in PostgreSQL, use up no attempt, and all arrive once it works', async () => {
  given.receiver.answer = status(500);
  // How many requests had come whenever it opened: between two of these times it was half-open once, and one delivery tried.
  const requests: number[] = [];
  const breaker = (gate: EndpointGate): void => void (gate.shut && requests.push(given.receiver.requests.length));
  // No back-off: without the breaker all attempts would be used up at once.
  const retry = { ...FAST_RETRY, initialDelay: 0, maxAttempts: 100 };
  await given.start([observerOf('all', hook({ circuitBreaker: BREAKER }), { retry })], { subscribers: [{ breaker }] });
  await insert(1, 20);
  await eventually(endpoints, ([one]) => one?.breaker?.state === 'open');
  // Those that were under way when it opened have come back.
  await eventually(pending, (rows) => rows.length === 20 && rows.filter(({ state }) => state === 'running').length <= 1);
  // What came meanwhile lies before the opening after the next one.
  const since = requests.length + 1;
  await insert(21, 40);
  await eventually(pending, (rows) => rows.length === 40);
  expect((await pending()).slice(20).every(({ state, attempt }) => state === 'queued' && attempt === 1)).toBe(true);
  await until(() => requests.length >= since + 4);
  const each = requests.slice(since).map((count, i) => count - (requests[since + i - 1] ?? NaN));
  expect(each).toEqual(each.map(() => 1));
  given.receiver.answer = status(204);
  await until(async () => (await attempts('succeeded')) === 40);
  await eventually(endpoints, (all) => all.length === 0);
  expect(await given.database.query('select from observers.dead_letter')).toEqual([]);
  expect(await pending()).toEqual([]);
});

test('what was retried when the breaker opened goes on with the attempts that it had', async () => {
  given.receiver.answer = status(503);
  await start(hook({ circuitBreaker: { ...BREAKER, openFor: 600_000 } }), { retry: { ...FAST_RETRY, initialDelay: 0, maxAttempts: 3 } });
  await insert(1, 30);
  const state = await eventually(endpoints, ([one]) => one?.breaker?.state === 'open');
  expect(state[0]).toMatchObject({ name: '/hook', breaker: { state: 'open' } });
  expect(state[0]?.breaker?.probeIn).toBeGreaterThan(50_000);
  const dead = await given.database.query('select from observers.dead_letter');
  // Each is on record exactly once: dead, or waiting for the breaker.
  await eventually(pending, (rows) => rows.length === 30 - dead.length && rows.every((row) => row.state !== 'running'));
});

test.each([
  ['answers 404', 404, { error: 'http_status', status: 404 }],
  ['says that it is not there yet', 429, null],
] as const)('a receiver that %s works: its breaker stays closed', async (_what, code, dead) => {
  given.receiver.answer = status(code, { 'retry-after': '3600' });
  await start(hook({ circuitBreaker: BREAKER }));
  await insert(1, 30);
  await given.receiver.waitFor(30);
  if (dead !== null) await untilRows(given.database, 'select error, status from observers.dead_letter', 30);
  expect(await endpoints()).toEqual([]);
});

test.each([
  ['our own template', { headers: { 'x-note': '{{ note }}' } }, 'template'],
  ['an address that we do not dial', { allowAddresses: [] }, 'blocked_address'],
  // A resolver may take its time to say no.
  ['a name that does not resolve', { url: 'http://receiver.invalid/hook', timeout: 30_000 }, 'dns'],
])('%s fails eight times and opens no breaker', async (_what, changed, error) => {
  await start(hook({ circuitBreaker: BREAKER, ...changed }), { retry: { ...FAST_RETRY, maxAttempts: 1 } });
  await given.database.query(`insert into orders select n, E'line\\nbreak' from generate_series(1, 8) n`);
  await until(async () => (await given.database.query('select from observers.dead_letter where error = $1', [error])).length === 8);
  expect(await endpoints()).toEqual([]);
});

test('a receiver that refuses connections opens its breaker', async () => {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  await start(endpointOf(`http://127.0.0.1:${port}/hook`, { circuitBreaker: { ...BREAKER, openFor: 600_000 } }));
  await insert(1, 10);
  await eventually(endpoints, ([one]) => one?.breaker?.state === 'open');
});

test('a rate limit spreads the requests, and what waits stands in PostgreSQL', async () => {
  await start(hook({ rateLimit: { count: 50, per: 1_000 } }));
  const begin = performance.now();
  await insert(1, 120);
  const requests = await given.receiver.waitFor(120);
  const times = requests.map(({ at }) => at);
  // At each moment no more than fifty a second since the commit, and the burst of a tenth of a second. A busy machine
  // only delays arrivals, so this holds on each; requests within one second of arrivals would depend on it.
  const early = times.filter((at, i) => i + 1 > 5 + 1 + (50 * (at - begin)) / 1_000);
  expect(early).toEqual([]);
  const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000;
  // 120 requests less the burst, at fifty a second: 2.3 s.
  expect(seconds).toBeGreaterThan(2.2);
  await until(async () => (await attempts('succeeded')) === 120);
  expect(await attempts('retry')).toBe(0);
});

test('a limited endpoint holds up nobody else', async () => {
  const other = await startReceiver();
  await given.start([
    observerOf('slow', hook({ rateLimit: { count: 1, per: 3_600_000 } })),
    observerOf('fast', endpointOf(`${other.url}/fast`)),
  ]);
  await insert(1, 600);
  await other.waitFor(600);
  expect(given.receiver.requests).toHaveLength(1);
  await eventually(pending, (rows) => rows.length === 599 && rows.every(({ state }) => state === 'queued'));
  await other.close();
});
