import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestService, type TestServiceOptions } from '../support/service';
import { until } from '../support/until';
import type { Service } from '../../src/lifecycle/start-service';

const FIRST = 'CANARY-first-0123456789';
const SECOND = 'CANARY-second-0123456789';

let database: TestDatabase;
let folder: string;
const running: Service[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'observers-tokens-'));
});
afterEach(async () => {
  for (const service of running.splice(0)) await service.stop();
  rmSync(folder, { recursive: true });
});
afterAll(() => database.drop());

async function start(env: TestServiceOptions['env'] = {}): Promise<Service> {
  const service = await startTestService(database.url, { env: { OBSERVERS_DATA_DIR: folder, OBSERVERS_API_RATE: '100000/s', ...env } });
  running.push(service);
  return service;
}

const PAUSE = 'POST /observers/x/pause';
const statusWith = (api: Api, token: string, route = 'GET /status'): Promise<number> =>
  api(route, { headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status);

describe('without tokens configured', () => {
  const file = (): string => join(folder, 'api-token');
  const token = (): string => readFileSync(file(), 'utf8').trim();

  test('this machine may look, and to change something needs the token in the data folder, which nobody else can read', async () => {
    const service = await start();
    const bare = apiOf(service, {});
    expect([service.tokenFile, statSync(file()).mode & 0o777]).toEqual([file(), 0o600]);
    expect(token()).toMatch(/^[\w-]{43}$/);
    expect((await bare('GET /status')).status).toBe(200);
    // As a proxy on this machine sends it that adds no header of its own.
    for (const route of [
      PAUSE,
      'POST /observers/x/resume',
      'POST /reload',
      'POST /nowhere',
      'DELETE /dlq/4b7a3c1e-0000-4000-8000-000000000001',
      'PUT /status',
      'PATCH /x',
    ]) {
      const { status, body } = await bare(route);
      expect([route, status, body['remedy']]).toEqual([route, 401, expect.stringContaining(file())]);
    }
    expect(await statusWith(bare, 'CANARY-wrong-0123456789')).toBe(401);
    expect(await statusWith(bare, 'CANARY-wrong-0123456789', PAUSE)).toBe(401);
    expect(await statusWith(bare, token())).toBe(200);
    expect(await statusWith(bare, token(), PAUSE)).toBe(404);
  });

  test('the token opens nothing to other machines and foreign pages', async () => {
    const api = apiOf(await start());
    for (const headers of [{ 'x-forwarded-for': '10.0.0.1' }, { origin: 'https://evil.example' }, { host: 'evil.example' }] as const)
      expect([headers, (await api(PAUSE, { headers })).status]).toEqual([headers, 403]);
  });

  test('services with one data folder, and those that come later, have one token', async () => {
    await start();
    const first = token();
    const other = await start();
    expect(token()).toBe(first);
    expect(await statusWith(apiOf(other, {}), first, PAUSE)).toBe(404);
  });

  test('one that others could read is not trusted any more, and one that is removed is made anew, while the service runs', async () => {
    writeFileSync(file(), `${'known-to-others-'.repeat(3)}\n`, { mode: 0o644 });
    chmodSync(file(), 0o644);
    const bare = apiOf(await start(), {});
    const first = token();
    expect([first.startsWith('known'), statSync(file()).mode & 0o777]).toEqual([false, 0o600]);
    rmSync(file());
    await until(() => existsSync(file()) && token() !== first);
    await until(async () => (await statusWith(bare, token(), PAUSE)) === 404);
    expect([401, 429]).toContain(await statusWith(bare, first, PAUSE));
  });

  test('a data folder that cannot be had keeps nobody from looking, and everybody from changing', async () => {
    writeFileSync(join(folder, 'file'), '');
    const bare = apiOf(await start({ OBSERVERS_DATA_DIR: join(folder, 'file', 'below') }), {});
    expect([(await bare('GET /status')).status, (await bare(PAUSE)).status]).toEqual([200, 401]);
  });
});

describe('a file of tokens', () => {
  const path = (): string => join(folder, 'tokens');
  const write = (text: string): void => writeFileSync(path(), text);

  test('is read again when it changes: a new token opens, and one that was taken out is known no longer', async () => {
    write(`write:${FIRST}\n`);
    const api = apiOf(await start({ OBSERVERS_API_TOKENS_FILE: path() }), {});
    expect([await statusWith(api, FIRST), await statusWith(api, SECOND)]).toEqual([200, 401]);
    write(`write:${FIRST}\nread:${SECOND}\n`);
    await until(async () => (await statusWith(api, SECOND)) === 200);
    expect([await statusWith(api, FIRST, PAUSE), await statusWith(api, SECOND, PAUSE)]).toEqual([404, 403]);
    write(`write:${SECOND}\n`);
    await until(async () => (await statusWith(api, SECOND, PAUSE)) === 404);
    expect([401, 429]).toContain(await statusWith(api, FIRST));
  });

  test('that nobody is in any more leaves nobody, and opens nothing to this machine', async () => {
    write(`write:${FIRST}\n`);
    const service = await start({ OBSERVERS_API_TOKENS_FILE: path() });
    const api = apiOf(service, {});
    expect(service.tokenFile).toBeNull();
    write('# nobody\n');
    await until(async () => (await statusWith(api, FIRST)) === 401);
    expect((await api('GET /status')).status).toBe(401);
  });

  test.each([
    ['holds something else', 'write:short\n'],
    ['has a token with two meanings', `write:${SECOND}\nread:${SECOND}\n`],
    ['has an option that is none', `write:${SECOND};tenants=acme\n`],
    ['has a time that is none', `write:${SECOND};expires=tomorrow\n`],
    ['is gone', null],
  ])('that %s is not taken: those that were known go on, until it is right', async (_what, text) => {
    write(`write:${FIRST}\n`);
    const api = apiOf(await start({ OBSERVERS_API_TOKENS_FILE: path() }), {});
    if (text === null) rmSync(path());
    else write(text);
    // Another file after it, so that it is known that this one was looked at.
    await new Promise((later) => setTimeout(later, 2_500));
    expect([await statusWith(api, FIRST), await statusWith(api, SECOND)]).toEqual([200, 401]);
    write(`write:${SECOND}\n`);
    await until(async () => (await statusWith(api, SECOND)) === 200);
  });

  test('holds a token that expires while the service runs', async () => {
    write(`read:${FIRST};expires=${new Date(Date.now() + 1_500).toISOString()}\n`);
    const api = apiOf(await start({ OBSERVERS_API_TOKENS_FILE: path() }), {});
    expect(await statusWith(api, FIRST)).toBe(200);
    await until(async () => (await statusWith(api, FIRST)) === 401);
  });
});

test('the documentation is counted too, and by itself', async () => {
  const service = await start({ OBSERVERS_API_RATE: '5/m' });
  const statuses: number[] = [];
  for (let i = 0; i < 7; i++) {
    const { statusCode, body } = await request(`http://${service.address}/${i % 2 === 0 ? 'docs-json' : 'docs'}`);
    await body.dump();
    statuses.push(statusCode);
  }
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
  expect((await apiOf(service)('GET /status')).status).toBe(200);
  const nowhere: number[] = [];
  for (let i = 0; i < 6; i++) nowhere.push((await apiOf(service)('GET /nowhere')).status);
  expect(nowhere).toEqual([404, 404, 404, 404, 429, 429]);
});
