import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestService, type TestServiceOptions } from '../support/service';
import { containing, matching } from '../support/texts';
import type { Service } from '../../src/lifecycle/start-service';

const READ = 'CANARY-read-0123456789';
const WRITE = 'CANARY-write-0123456789';
const HASHED = 'CANARY-hashed-0123456789';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const TOKENS = `read:${READ},write:${WRITE}, write:sha256:${sha256(HASHED)}`;

let database: TestDatabase;
const running: Service[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const service of running.splice(0)) await service.stop();
});
afterAll(() => database.drop());

async function start(env: TestServiceOptions['env'] = {}): Promise<Service> {
  const service = await startTestService(database.url, { env: { OBSERVERS_API_RATE: '100000/s', ...env } });
  running.push(service);
  return service;
}

/** One that is not loopback; null on a machine without a network. */
const OUTSIDE = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

describe('with tokens', () => {
  let api: Api;
  beforeEach(async () => {
    api = apiOf(await start({ OBSERVERS_API_TOKENS: TOKENS }));
  });

  const PAUSE = 'POST /observers/x/pause';
  test.each([
    ['no token', 'GET /status', undefined, 401],
    ['an empty header', 'GET /status', '', 401],
    ['another scheme', 'GET /status', `Basic ${READ}`, 401],
    ['no scheme', 'GET /status', READ, 401],
    ['a token that nobody has', 'GET /status', 'Bearer CANARY-nobody-0123456789', 401],
    ['a token in other letters', 'GET /status', `Bearer ${READ.toLowerCase()}`, 401],
    ['the beginning of a token', 'GET /status', `Bearer ${READ.slice(0, -1)}`, 401],
    ['a token and more', 'GET /status', `Bearer ${READ}x`, 401],
    ['the hash of a token', 'GET /status', `Bearer ${sha256(HASHED)}`, 401],
    ['the entry of a token', 'GET /status', `Bearer read:${READ}`, 401],
    ['two tokens, comma', 'GET /status', `Bearer ${READ}, Bearer ${WRITE}`, 401],
    ['two headers', 'GET /status', [`Bearer ${READ}`, `Bearer ${WRITE}`], 401],
    ['a route that is not there', 'GET /nowhere', undefined, 401],
    ['a token for reading', 'GET /status', `Bearer ${READ}`, 200],
    ['the scheme in small letters', 'GET /status', `bearer ${READ}`, 200],
    ['a token for writing', 'GET /status', `Bearer ${WRITE}`, 200],
    ['a token given as a hash', 'GET /status', `Bearer ${HASHED}`, 200],
    ['reading that wants to write', PAUSE, `Bearer ${READ}`, 403],
    ['reading that wants to discard', 'DELETE /dlq/4b7a3c1e-0000-4000-8000-000000000001', `Bearer ${READ}`, 403],
    ['no token that wants to write', PAUSE, undefined, 401],
    ['writing', PAUSE, `Bearer ${WRITE}`, 404],
    ['reading, where there is nothing', 'GET /nowhere', `Bearer ${READ}`, 404],
  ])('%s: %s', async (_name, route, authorization, status) => {
    const answer = await api(route, { headers: authorization === undefined ? {} : { authorization } });
    expect([answer.status, answer.status < 300 ? null : answer.headers['content-type']]).toEqual([
      status,
      status < 300 ? null : 'application/problem+json; charset=utf-8',
    ]);
    expect(answer.headers['www-authenticate'] !== undefined).toBe(status === 401 || status === 403);
  });

  test('probes, metrics and the documentation are open, and only to look at', async () => {
    for (const path of ['/health/live', '/metrics', '/docs', '/docs-json', '/docs/swagger-ui.css'])
      expect([path, (await api(`GET ${path}`)).status]).toEqual([path, 200]);
    for (const path of ['/docsx', '/docs-jsonx', '/healthx', '/metricsx', '/health/../status', '//status', '/STATUS'])
      expect([path, (await api(`GET ${path}`)).status]).toEqual([path, 401]);
    expect((await api('POST /docs')).status).toBe(401);
  });

  test('of 1,000 wrong tries all but a few are not even answered, and a right token passes all the while', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 1_000; i += 100)
      statuses.push(
        ...(
          await Promise.all(
            Array.from({ length: 100 }, (_, j) => api('GET /status', { headers: { authorization: `Bearer wrong-token-number-${i + j}` } })),
          )
        ).map(({ status }) => status),
      );
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(990);
    const { headers } = await api('GET /status');
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect((await api('GET /status', { headers: { authorization: `Bearer ${READ}` } })).status).toBe(200);
  });

  test('no origin is allowed to a browser, and requests of a foreign one are refused even with a token', async () => {
    const authorization = `Bearer ${WRITE}`;
    const preflight = await api('OPTIONS /status', {
      headers: {
        origin: 'https://evil.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    });
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect((await api(PAUSE, { headers: { authorization, origin: 'https://evil.example' } })).status).toBe(403);
  });
});

describe('without a token', () => {
  test.each([
    ['this machine', {}, 200],
    ['localhost by its name', { host: 'localhost:8700' }, 200],
    ['IPv6 loopback', { host: '[::1]:8700' }, 200],
    ['a name that was made to resolve here', { host: 'evil.example:8700' }, 403],
    ['a name that only begins so', { host: '127.0.0.1.evil.example' }, 403],
    ['a name that only ends so', { host: 'evil-localhost' }, 403],
    ['a proxy that says whom it asks for', { 'x-forwarded-for': '10.0.0.1' }, 403],
    ['a page of another origin', { origin: 'https://evil.example' }, 403],
    ['a page of another port', { origin: 'http://localhost:3000', host: 'localhost:8700' }, 403],
    ['a page without an origin', { origin: 'null' }, 403],
    ['an image of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of ours', { origin: 'http://localhost:8700', host: 'localhost:8700', 'sec-fetch-site': 'same-origin' }, 200],
  ])('%s', async (_name, headers, status) => {
    const api = apiOf(await start(), {});
    const answer = await api('GET /status', { headers });
    expect([answer.status, answer.text.includes('OBSERVERS_API_TOKENS')]).toEqual([status, status === 403 && !/page|image/.test(_name)]);
    expect((await api('GET /docs-json', { headers })).status).toBe(status);
    expect((await api('GET /health/live', { headers })).status).toBe(200);
    expect((await api('GET /metrics', { headers })).status).toBe(200);
  });

  (OUTSIDE === undefined ? test.skip : test)(
    'the address of a network is refused, whatever its Host says; probes answer there',
    async () => {
      const { address } = await start({ OBSERVERS_HOST: '0.0.0.0' });
      const outside = apiOf({ address: `${OUTSIDE}:${address.split(':').at(-1)}` });
      const answer = await outside('GET /status', { headers: { host: 'localhost:8700' } });
      expect([answer.status, answer.body['remedy']]).toEqual([403, containing('OBSERVERS_API_TOKENS')]);
      expect((await outside('GET /health/live')).status).toBe(200);
    },
  );

  test('a body that is not JSON is not taken: a form of a foreign page can be sent without asking', async () => {
    const api = apiOf(await start());
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x', ''])
      expect(
        (await api('POST /observers/x/pause', { body: '{"reason":"x"}', headers: type === '' ? {} : { 'content-type': type } })).status,
      ).toBe(415);
  });
});

describe('tokens that are no tokens', () => {
  const folder = mkdtempSync(join(tmpdir(), 'observers-tokens-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (text: string): string => {
    const path = join(folder, 'tokens');
    writeFileSync(path, text);
    return path;
  };

  test.each([
    'read:short',
    'READ:CANARY-0123456789abcdef',
    'admin:CANARY-0123456789abcdef',
    'CANARY-0123456789abcdef',
    'read:sha256:abc',
    `read:${READ},`,
    'read:CANARY with a blank',
  ])('a service with "%s" does not start, and says what is expected without what was given', async (tokens) => {
    const error = await start({ OBSERVERS_API_TOKENS: tokens }).catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toMatch(
      /OBSERVERS_API_TOKENS: expected read:TOKEN or write:TOKEN, where a token has 16 to 512 characters/,
    );
    expect((error as Error).message).not.toMatch(/CANARY|short/);
  });

  test('a file holds tokens, one a line, with comments; both settings count', async () => {
    const path = file(`# of the console\nread:${READ}\n\n  write:sha256:${sha256(HASHED).toUpperCase()}  \r\n`);
    const api = apiOf(await start({ OBSERVERS_API_TOKENS_FILE: path, OBSERVERS_API_TOKENS: `write:${WRITE}` }));
    for (const token of [READ, HASHED, WRITE])
      expect((await api('GET /status', { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    expect((await api('GET /status')).status).toBe(401);
  });

  test.each([
    ['read:short\n', /tokens:1 is not a token of the API/],
    ['# nothing\n', /holds no token/],
  ])('a file with %j is refused at the start', async (text, message) => {
    const error = await start({ OBSERVERS_API_TOKENS_FILE: file(text) }).catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toMatch(message);
  });

  test('a file that is not there is refused at the start', async () => {
    await expect(start({ OBSERVERS_API_TOKENS_FILE: join(folder, 'nowhere') })).rejects.toThrow(
      /OBSERVERS_API_TOKENS_FILE cannot be read.*ENOENT/,
    );
  });
});

test('more requests than the rate allows are answered 429 with the time to wait; probes and metrics are not counted', async () => {
  const api = apiOf(await start({ OBSERVERS_API_RATE: '5/m' }));
  for (let i = 0; i < 20; i++) expect((await api(i % 2 === 0 ? 'GET /health/live' : 'GET /metrics')).status).toBe(200);
  const statuses = [];
  for (const path of ['/status', '/listeners', '/dlq', '/events', '/observers', '/status'])
    statuses.push((await api(`GET ${path}`)).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
  const { body, headers } = await api('GET /dlq');
  expect([body['type'], Number(headers['retry-after']) > 0]).toEqual(['urn:fraiseql-observers:problem:too-many-requests', true]);
});

test('every answer has a request id, one that was given where it is sane, and headers that a browser obeys', async () => {
  const api = apiOf(await start());
  for (const path of ['/status', '/nowhere', '/health/live', '/docs']) {
    const { headers } = await api(`GET ${path}`);
    expect([path, headers['x-request-id'], headers['x-content-type-options'], headers['x-powered-by']]).toEqual([
      path,
      matching(/^[\w-]{36}$/),
      'nosniff',
      undefined,
    ]);
  }
  expect((await api('GET /status', { headers: { 'x-request-id': 'trace/1:2=3' } })).headers['x-request-id']).toBe('trace/1:2=3');
  for (const given of ['a b', 'x'.repeat(200), '<script>'])
    expect((await api('GET /status', { headers: { 'x-request-id': given } })).headers['x-request-id']).toMatch(/^[\w-]{36}$/);
  expect((await api('GET /nowhere', { headers: { 'x-request-id': 'me' } })).body['requestId']).toBe('me');
  expect((await api('GET /docs')).headers['content-security-policy']).toContain("script-src 'self'");
});

test('what does not change need not be sent again', async () => {
  const api = apiOf(await start());
  for (const path of ['/observers', '/docs-json', '/dlq']) {
    const { headers } = await api(`GET ${path}`);
    const again = await api(`GET ${path}`, { headers: { 'if-none-match': String(headers['etag']) } });
    expect([path, again.status, again.text]).toEqual([path, 304, '']);
    expect((await api(`GET ${path}`, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  }
});
