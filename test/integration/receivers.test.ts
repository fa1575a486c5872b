import { gzipSync } from 'node:zlib';
import type { EndpointDefinition, RetryPolicy } from '../../src/event/definitions';
import { createTestDatabase, type TestDatabase } from '../support/database';
import * as does from '../support/misbehaviour';
import { startReceiver, status, type Answer, type Receiver } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, startStream, type TestStream } from '../support/stream';
import { containing } from '../support/texts';
import { eventually, until } from '../support/until';

let database: TestDatabase;
let bad: Receiver;
let good: Receiver;
let stream: TestStream;

beforeEach(async () => {
  database = await createTestDatabase();
  [bad, good] = [await startReceiver(), await startReceiver()];
  await database.query('create table public.orders (id bigint primary key, note text)');
  await database.capture('public.orders');
});

afterEach(async () => {
  await stream.stop();
  await Promise.all([bad.close(), good.close()]);
  await database.drop();
});

const TWO_TRIES: RetryPolicy = { ...FAST_RETRY, maxAttempts: 2 };
const insert = (id: number): Promise<unknown> => database.query('insert into orders (id) values ($1)', [id]);
const keyOf = ({ body }: { body: string }): string => /"key":"(\d+)"/.exec(body)?.[1] ?? '';
const requestsOf = (key: string) => bad.requests.filter((request) => keyOf(request) === key);

interface Tried {
  readonly attempt: number;
  readonly outcome: string;
  readonly error: string | null;
  readonly status: number | null;
  readonly message: string | null;
  readonly response: string | null;
}

const start = async (url: string, endpoint: Partial<EndpointDefinition> = {}, retry = TWO_TRIES): Promise<void> => {
  stream = await startStream(database.url, [
    observerOf('bad', endpointOf(url, { timeout: 1_000, ...endpoint }), { retry }),
    observerOf('good', endpointOf(`${good.url}/good`)),
  ]);
};

/** The tries of a change at the bad receiver, when they have come to an end. */
async function tries(id: number): Promise<Tried[]> {
  const ask = (): Promise<Tried[]> =>
    database.query<Tried>(
      `select attempt, outcome, error, status, message, response from observers.attempt a join core.tb_entity_change_log l on l.pk_entity_change_log = a.change_number
       where observer = 'bad' and l.object_key = $1::text order by finished_at, attempt`,
      [id],
    );
  return eventually(ask, (all) => ['succeeded', 'dead'].includes(all.at(-1)?.outcome ?? ''));
}

/** The receiver misbehaves for one change and works for the next: that one is delivered, whatever became of the first. */
async function misbehave(answer: Answer, retry = TWO_TRIES): Promise<Tried[]> {
  bad.answer = (request, response, raw) => (keyOf(request) === '1' ? answer : status(204))(request, response, raw);
  await start(`${bad.url}/bad`, {}, retry);
  await insert(1);
  const all = await tries(1);
  await insert(2);
  expect(await tries(2)).toMatchObject([{ outcome: 'succeeded', status: 204 }]);
  await good.waitFor(2);
  expect(new Set(requestsOf('1').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(requestsOf('1')[0]?.headers['webhook-id']).not.toBe(requestsOf('2')[0]?.headers['webhook-id']);
  return all;
}

const deadLetters = () => database.query('select error, status, attempts, message from observers.dead_letter');
const row = (outcome: string, error: string | null, code: number | null = null) =>
  expect.objectContaining({ outcome, error, status: code }) as Tried;

const TRIED_AGAIN: [what: string, answer: Answer, error: string, code: number | null][] = [
  ['hangs before its headers', does.hang, 'timeout', null],
  ['drips its headers', does.dripHeaders, 'timeout', null],
  ['hangs after the headers of a 500', does.hangAfterHeaders(500), 'http_status', 500],
  ['drips the body of a 500', does.drip(500), 'http_status', 500],
  ['resets the connection instead of answering', does.reset, 'connection', null],
  ['closes the connection instead of answering', does.closeWithoutAnswer, 'connection', null],
  ['resets the connection within the body of a 503', does.resetWithinBody(503), 'http_status', 503],
  ['does not speak HTTP', does.bytes('220 mail.example ESMTP ready\r\n\r\n'), 'connection', null],
  ['sends a status that is no number', does.bytes('HTTP/1.1 OK 200\r\n\r\n'), 'connection', null],
  ['sends headers of 1 MB', does.bytes(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1 << 20)}\r\n\r\n`), 'connection', null],
  [
    'contradicts itself on the length',
    does.bytes('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'),
    'connection',
    null,
  ],
  [
    'switches protocols unasked',
    does.bytes('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    'connection',
    null,
  ],
];

test.each(TRIED_AGAIN)('a receiver that %s is tried again, with the same id', async (_what, answer, error, code) => {
  expect(await misbehave(answer)).toEqual([row('retry', error, code), row('dead', error, code)]);
  expect(await deadLetters()).toMatchObject([{ error, status: code, attempts: 2, message: containing('all 2 attempts failed') }]);
  expect(requestsOf('1')).toHaveLength(2);
});

test.each<[what: string, answer: string, message: string]>([
  ['speaks something else', '220 mail.example ESMTP ready\r\n\r\n', "the receiver's answer is not HTTP/1.1: Response does not match the HTTP/1.1 protocol"],
  ['sends headers of 1 MB', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1 << 20)}\r\n\r\n`, "the headers of the receiver's answer are longer than 16 KiB"],
  ['answers 000', 'HTTP/1.1 000 Odd\r\ncontent-length: 0\r\n\r\n', "the receiver's answer is not HTTP/1.1: its status is below 100"],
  ['switches protocols', 'HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 'the receiver switches protocols (101), and nobody has asked it to'],
  ['says 100', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 'the receiver answers 100 (Continue), and nobody has asked it whether to'],
])('what is wrong with the answer of one that %s is told in words', async (_what, answer, message) => {
  const [first] = await misbehave(does.bytes(answer), { ...TWO_TRIES, maxAttempts: 1 });
  expect(first).toMatchObject({ error: 'connection', message: containing(message) });
  expect(first?.message).not.toContain('\n');
}); // prettier-ignore

/** Each change is answered with the status that is its key. */
async function answerByKey(codes: readonly number[]): Promise<Map<number, Tried[]>> {
  bad.answer = (request, response, raw) => {
    const code = Number(keyOf(request));
    const headers: Record<string, string> = code < 400 ? { location: `${good.url}/secret` } : {};
    status(code, headers, code === 304 ? '' : 'because')(request, response, raw);
  };
  await start(`${bad.url}/bad`);
  await database.query('insert into orders (id) select unnest($1::int[])', [codes]);
  const all = new Map<number, Tried[]>();
  for (const code of codes) all.set(code, await tries(code));
  await good.waitFor(codes.length);
  return all;
}

test('408, 425, 429 and every 5xx are tried again, with the same id', async () => {
  const codes = [408, 425, 429, 500, 501, 502, 503, 504, 507, 520, 599];
  for (const [code, all] of await answerByKey(codes)) {
    expect(all).toEqual([row('retry', 'http_status', code), row('dead', 'http_status', code)]);
    expect(requestsOf(String(code))).toHaveLength(2);
    expect(new Set(requestsOf(String(code)).map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  }
  expect(await deadLetters()).toHaveLength(codes.length);
});

test('any other 4xx, a redirect and 410 are final: one request, one dead letter, and nobody follows a location', async () => {
  const redirects = [300, 301, 302, 303, 304, 307, 308];
  const refusals = [400, 401, 402, 403, 404, 405, 406, 409, 411, 413, 414, 415, 422, 431, 451];
  for (const [code, all] of await answerByKey([...redirects, ...refusals, 410])) {
    expect(all).toEqual([row('dead', code === 410 ? 'gone' : code < 400 ? 'redirect' : 'http_status', code)]);
    expect(requestsOf(String(code))).toHaveLength(1);
  }
  const letters = await deadLetters();
  expect(letters).toHaveLength(redirects.length + refusals.length + 1);
  expect(letters.filter(({ attempts }) => attempts !== 1)).toEqual([]);
  expect(good.requests.filter(({ path }) => path !== '/good')).toEqual([]);
});

const DELIVERED: [what: string, answer: Answer, code: number][] = [
  ['hangs after the headers of a 200', does.hangAfterHeaders(200), 200],
  ['drips the body of a 200', does.drip(200), 200],
  ['resets the connection within the body of a 200', does.resetWithinBody(200), 200],
  [
    'sends 500 early hints first',
    does.bytes(`${'HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n'.repeat(500)}HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n`),
    202,
  ],
  [
    'sends a second answer that nobody asked for',
    does.bytes('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n'),
    200,
  ],
];

test.each(DELIVERED)('a receiver that %s has said yes: nothing is repeated', async (_what, answer, code) => {
  expect(await misbehave(answer)).toEqual([row('succeeded', null, code)]);
  expect(requestsOf('1')).toHaveLength(1);
});

test.each([
  [200, 'succeeded', null],
  [500, 'retry', 'http_status'],
])('of an answer of 10 GB with %d no more is read than the cap', async (code, outcome, error) => {
  const sent: number[] = [];
  const [first] = await misbehave(does.endless(code, (bytes) => sent.push(bytes)));
  expect(first).toEqual(row(outcome, error, code));
  expect(first?.response ?? 'x'.repeat(1024)).toBe('x'.repeat(1024));
  await until(() => sent.length === requestsOf('1').length);
  // 64 KiB are read; what else went into the socket lies in the buffers of the two ends, which take some megabytes.
  expect(Math.max(...sent)).toBeLessThan(16 * 1024 * 1024);
});

test('compressed answers are not asked for, and a gzip bomb is not inflated', async () => {
  const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024));
  const all = await misbehave((_request, response) => void response.writeHead(400, { 'content-encoding': 'gzip' }).end(bomb));
  expect(all).toEqual([row('dead', 'http_status', 400)]);
  expect(requestsOf('1')[0]?.headers['accept-encoding']).toBeUndefined();
  expect(all[0]?.response?.startsWith('\x1f')).toBe(true);
  expect(all[0]?.response?.length).toBeLessThanOrEqual(1024);
});

test('a keep-alive connection that is closed just as it is used again costs a try, and no delivery', async () => {
  const used = new Set<unknown>();
  bad.answer = (_request, response, { socket }) => {
    if (used.has(socket)) socket.resetAndDestroy();
    else response.writeHead(204).end();
    used.add(socket);
  };
  await start(`${bad.url}/bad`, { concurrency: 1 }, { ...FAST_RETRY, maxAttempts: 4 });
  for (let id = 1; id <= 10; id++) {
    await insert(id);
    expect((await tries(id)).at(-1)).toEqual(row('succeeded', null, 204));
  }
  expect(used.size).toBeGreaterThan(1);
  expect(await deadLetters()).toEqual([]);
});

test('a receiver that closes each connection right after its answer gets every event once', async () => {
  bad.answer = (_request, response, { socket }) => void response.writeHead(204).end(() => setImmediate(() => socket.destroy()));
  await start(`${bad.url}/bad`, { concurrency: 1 }, { ...FAST_RETRY, maxAttempts: 10 });
  await database.query('insert into orders (id) select generate_series(1, 50)');
  for (let id = 1; id <= 50; id++) expect((await tries(id)).at(-1)).toEqual(row('succeeded', null, 204));
});

test('connections refused and hosts unknown are tried again', async () => {
  const { port } = bad;
  await bad.close();
  await start(`http://127.0.0.1:${port}/bad`);
  await insert(1);
  expect(await tries(1)).toEqual([row('retry', 'connection'), row('dead', 'connection')]);
  await stream.stop();
  await start('http://nowhere.invalid/bad', { timeout: 5_000 });
  await insert(2);
  expect(await tries(2)).toEqual([row('retry', 'dns'), row('dead', 'dns')]);
  await good.waitFor(2);
  bad = await startReceiver();
});
