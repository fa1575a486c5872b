import { connect } from 'node:net';
import type { Service } from '../../src/lifecycle/start-service';
import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { deadLetters } from '../support/redrive';
import { startTestService } from '../support/service';
import { untilLeading } from '../support/until';
import { startTcpProxy } from '../support/tcp-proxy';

let database: TestDatabase;
let service: Service;
let api: Api;
let letter: string;
const env = { OBSERVERS_API_RATE: '100000/s' };

beforeAll(async () => {
  database = await createTestDatabase();
  [letter = ''] = await deadLetters(database, 1);
  service = await startTestService(database.url, { env });
  await untilLeading(service.streams.main);
  api = apiOf(service);
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

const JSON_BODY = { 'content-type': 'application/json' };
const RETRY_ALL = 'POST /dlq/retry-all';

test('a body of 50 MB is refused, and the next request is answered', async () => {
  const { status, body } = await api(RETRY_ALL, { body: Buffer.alloc(50 << 20, 'x'), headers: JSON_BODY });
  expect([status, body['type']]).toEqual([413, 'urn:fraiseql-observers:problem:too-large']);
  expect((await api('GET /status')).status).toBe(200);
});

test.each([
  ['nested 10,000 levels deep', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
  ['nested 17 levels deep', `{"a":${'['.repeat(17)}${']'.repeat(17)}}`],
  ['cut off', '{"dry_run":'],
  ['a number', '1'],
  ['a list', '[]'],
  ['null', 'null'],
  ['with a prototype', '{"dry_run":true,"__proto__":{"observer":"x"}}'],
  ['with a constructor', '{"dry_run":true,"constructor":{"prototype":{"x":1}}}'],
  ['with a member that nobody knows', '{"dry_run":true,"limit":5}'],
  ['of the wrong type', '{"dry_run":"true"}'],
  ['with a character 0', '{"dry_run":true,"observer":"a\\u0000b"}'],
  ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
])('a body that is %s is answered 400, with nothing of our insides', async (_name, body) => {
  const answer = await api(RETRY_ALL, { body, headers: JSON_BODY });
  expect([answer.status, answer.headers['content-type']]).toEqual([400, 'application/problem+json; charset=utf-8']);
  expect(answer.text).not.toMatch(/\bat .*\.(js|ts)|node_modules|SyntaxError|Unexpected/);
  expect(({} as Record<string, unknown>)['observer']).toBeUndefined();
});

test.each(["'; drop table observers.dead_letter; --", "' or '1'='1", '%27%20or%201=1', '\\', '$1', "a'||pg_sleep(10)||'"])(
  'SQL in a filter (%s) is a text that nothing has',
  async (text) => {
    const value = encodeURIComponent(text);
    for (const path of [`/dlq?entity_key=${value}`, `/events?entity_key=${value}`])
      expect([path, await api(`GET ${path}`)]).toEqual([path, expect.objectContaining({ status: 200, body: { items: [], next: null } })]);
    // What has a name is refused by it, which reaches the database too.
    for (const path of [`/dlq?observer=${value}`, `/dlq?error=${value}`, `/dlq?action=${value}`, `/dlq/stats?endpoint=${value}`])
      expect([path, (await api(`GET ${path}`)).status]).toEqual([path, 400]);
    expect((await api(`POST /observers/${value}/pause`)).status).toBe(404);
    expect((await api('GET /dlq')).body['items']).toHaveLength(1);
  },
);

test.each([
  ['GET /dlq/..%2f..%2fetc%2fpasswd', 400],
  ['GET /dlq/%00', 400],
  ['GET /dlq/%zz', 400],
  ['GET /dlq/4b7a3c1e-0000-4000-8000-00000000000g', 400],
  ['GET /events/..%2fstatus', 400],
  ['GET /events/-1', 400],
  ['GET /events/99999999999999999999', 400],
  ['GET /events/__proto__', 400],
  ['GET /docs/..%2f..%2f..%2fpackage.json', 404],
  ['GET /docs/../../package.json', 404],
  ['POST /observers/__proto__/pause', 404],
  ['POST /observers/%00/pause', 400],
  ['POST /circuit-breakers/constructor/reset', 404],
  ['GET /events?limit=0', 400],
  ['GET /events?limit=201', 400],
  ['GET /events?limit=1.5', 400],
  ['GET /events?limit=abc', 400],
  ['GET /events?limit=1&limit=2', 400],
  ['GET /events?kind=upsert', 400],
  ['GET /events?entity_key=%00', 400],
  ['GET /events?__proto__=1', 400],
  ['GET /events?__proto__[x]=1', 400],
  ['GET /events?cursor=eyJjaGFuZ2UiOiJ4In0', 400],
  ['GET /events?cursor=bnVsbA', 400],
  ['GET /dlq?after=yesterday', 400],
  ['GET /dlq?after=0000-01-01T00:00:00Z', 400],
  ['GET /dlq?before=9999-12-31T23:59:59-14:00', 400],
  ['GET /dlq?after=2026-01-01T00:00:00%2B23:59', 200],
  ['GET /status?x=1', 200],
  ['PUT /status', 405],
  ['PATCH /observers', 405],
  ['TRACE /status', 405],
])('%s is answered %i', async (route, status) => {
  const answer = await api(route);
  expect([answer.status, answer.text.includes('at ') && answer.text.includes('.js:')]).toEqual([status, false]);
  if (status >= 400) expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
});

test('an Idempotency-Key is not taken for what it is not', async () => {
  const answer = await api(`POST /dlq/${letter}/retry`, { headers: { 'idempotency-key': 'x' } });
  expect([answer.status, answer.body['detail']]).toEqual([400, 'Idempotency-Key is not supported']);
  expect(await database.query('select from observers.pending_delivery')).toEqual([]);
});

test('a compressed body is refused, so that none grows', async () => {
  const headers = { ...JSON_BODY, 'content-encoding': 'gzip' };
  expect((await api(RETRY_ALL, { body: Buffer.from('x'), headers })).status).toBe(415);
});

test('a question that takes too long is given up by PostgreSQL, and the leader goes on', async () => {
  await database.query('begin');
  await database.query('lock table observers.paused_observer in access exclusive mode');
  try {
    const answer = await api('POST /observers/x/resume');
    expect([answer.status, answer.body['type']]).toEqual([503, 'urn:fraiseql-observers:problem:unavailable']);
  } finally {
    await database.query('rollback');
  }
  expect(service.streams.main.state).toBe('leading');
});

test('bytes that are not HTTP are cut off, and the service goes on', async () => {
  const [host = '', port] = service.address.split(':');
  const socket = connect(Number(port), host);
  socket.end('NOT HTTP AT ALL\r\n\r\n');
  const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
  expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*application\/problem\+json[\s\S]*urn:fraiseql-observers:problem:refused/);
  expect((await api('GET /status')).status).toBe(200);
});

test('while the database does not answer the API says so with 503, and works again afterwards', async () => {
  const { hostname, port } = new URL(database.url);
  const proxy = await startTcpProxy(hostname, Number(port));
  const url = new URL(database.url);
  [url.hostname, url.port] = ['127.0.0.1', String(proxy.port)];
  const behind = await startTestService(url.href, { env });
  try {
    const through = apiOf(behind);
    expect((await through('GET /dlq')).status).toBe(200);
    proxy.blackhole();
    proxy.reset();
    const answers = await Promise.all(
      ['GET /status', 'GET /observers', 'GET /dlq', `POST /dlq/${letter}/retry`].map((route) => through(route)),
    );
    expect(answers.map(({ status, body }) => [status, body['type']])).toEqual(
      Array(4).fill([503, 'urn:fraiseql-observers:problem:unavailable']),
    );
    proxy.restore();
    proxy.reset();
    expect((await through('GET /dlq')).status).toBe(200);
  } finally {
    await behind.stop();
    await proxy.close();
  }
});
