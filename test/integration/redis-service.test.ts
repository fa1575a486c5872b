import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { describeWith, program } from '../support/missing-server';
import { startReceiver, type Receiver } from '../support/receiver';
import { startRedis, type TestRedis } from '../support/redis-server';
import { programOn } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { eventually, until, untilLeading, untilRows } from '../support/until';

const TOKEN = 'write-0123456789abcdef';

let database: TestDatabase;
let receiver: Receiver;
const services: TestService[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(({ path }, response) => {
    if (path.startsWith('/customer')) return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"plan":"gold"}');
    return void response.writeHead(204).end();
  });
  await database.query('create table orders (id int primary key, customer text)');
});

afterEach(async () => {
  for (const service of services.splice(0).reverse()) await service.stop();
  await receiver.close();
  await database.drop();
});

const file = (): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }
lookups: { customer: { url: "${receiver.url}/customer/{{ data.customer }}", ttl: 1h, allow_addresses: [loopback] } }
observers:
  - name: once
    entity: Order
    dedup: { key: '{{ customer }}', window: 1h }
    actions: [{ type: webhook, endpoint: hook }]
  - name: known
    entity: Order
    lookups: [customer]
    actions: [{ type: log, message: '{{ lookups.customer.plan }}' }]
`;
// On a busy machine an answer takes longer than the 50 ms that a delivery waits for one.
const drivers = { OBSERVERS_DEDUP_DRIVER: 'redis', OBSERVERS_CACHE_DRIVER: 'redis', OBSERVERS_REDIS_TIMEOUT: '1s' };
const start = async (url: string, env: Readonly<Record<string, string>> = {}, on = database): Promise<TestService> => {
  const service = await startTestService(on.url, {
    file: file(),
    env: { REDIS_URL: url, OBSERVERS_API_TOKENS: `write:${TOKEN}`, ...drivers, ...env },
  });
  services.push(service);
  return service;
};
const apiTo = (service: TestService): Api => apiOf(service, { authorization: `Bearer ${TOKEN}` });
const insert = (from: number, to: number, customer: string): Promise<unknown> =>
  database.query('insert into orders select n, $3 from generate_series($1::int, $2::int) n', [from, to, customer]);
const outcomes = async (count: number): Promise<string[]> =>
  (
    await untilRows<{ outcome: string }>(database, "select outcome from observers.attempt where observer = 'once' order by outcome", count)
  ).map(({ outcome }) => outcome);
const metric = async (service: TestService, name: string, label = ''): Promise<number> => {
  const text = await (await fetch(`http://${service.address}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{[^}]*${label}[^}]*\\} (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);
};
interface Said {
  readonly listeners: readonly { readonly redis: readonly { use: string; up: boolean; reason: string | null }[] }[];
}
const saidOf = async (service: TestService): Promise<Said['listeners'][number]['redis']> =>
  ((await apiTo(service)('GET /status')).body as unknown as Said).listeners
    .flatMap(({ redis }) => redis)
    .sort((a, b) => b.use.localeCompare(a.use));

describeWith(program('redis-server'), () => {
  let redis: TestRedis;
  beforeEach(async () => void (redis = await startRedis()));
  afterEach(() => redis.close());

  test('of deliveries with the same key one is made, by whichever instance, also after a restart', async () => {
    const first = await start(redis.url);
    await untilLeading(first.streams.main);
    await insert(1, 3, 'eva');
    expect(await outcomes(3)).toEqual(['skipped', 'skipped', 'succeeded']);
    await services.pop()?.stop();
    await untilLeading((await start(redis.url)).streams.main);
    await insert(4, 4, 'eva');
    expect(await outcomes(4)).toEqual(['skipped', 'skipped', 'skipped', 'succeeded']);
  });

  test('Redis is killed, and comes back empty: every delivery goes on, that is said, and readiness stays', async () => {
    const service = await start(redis.url);
    await untilLeading(service.streams.main);
    await insert(1, 2, 'eva');
    await outcomes(2);
    expect(await saidOf(service)).toMatchObject([{ use: 'dedup', up: true }, { use: 'cache', up: true }]); // prettier-ignore
    expect(await metric(service, 'observer_dedup_unavailable_total')).toBe(0);
    await redis.server.kill();
    await insert(3, 22, 'eva');
    const all = await outcomes(22);
    expect(all.filter((one) => one === 'succeeded').length).toBeGreaterThanOrEqual(20);
    expect(await metric(service, 'observer_dedup_unavailable_total')).toBeGreaterThanOrEqual(20);
    expect(await metric(service, 'observer_redis_up', 'use="dedup"')).toBe(0);
    expect(await metric(service, 'observer_redis_unanswered_total', 'use="dedup"')).toBeGreaterThan(0);
    await eventually(() => saidOf(service), (said) => said.some(({ use, up }) => use === 'dedup' && !up)); // prettier-ignore
    expect((await fetch(`http://${service.address}/health/ready`)).status).toBe(200);
    const shown = await programOn(database, file(), { OBSERVERS_API_TOKENS: `write:${TOKEN}` }).run(['status']);
    expect(shown.out).toMatch(/redis +dedup: does not answer since/);
    await redis.server.start();
    await eventually(() => saidOf(service), (said) => said.every(({ up }) => up)); // prettier-ignore
    await insert(23, 24, 'eva');
    expect((await outcomes(24)).filter((one) => one === 'skipped').length).toBeGreaterThan(0);
    expect(await database.query('select from observers.dead_letter')).toEqual([]);
    expect(await database.query('select from observers.pending_delivery')).toEqual([]);
  });

  test('a second database in the same Redis has keys of its own: nothing is skipped for the other one', async () => {
    await untilLeading((await start(redis.url)).streams.main);
    await insert(1, 1, 'eva');
    expect(await outcomes(1)).toEqual(['succeeded']);
    const other = await createTestDatabase();
    await other.query('create table orders (id int primary key, customer text)');
    const second = await startTestService(other.url, { file: file(), env: { REDIS_URL: redis.url, ...drivers } });
    await untilLeading(second.streams.main);
    await other.query("insert into orders values (1, 'eva')");
    const rows = await untilRows<{ outcome: string }>(other, "select outcome from observers.attempt where observer = 'once'", 1);
    expect(rows[0]?.outcome).toBe('succeeded');
    await second.stop();
    await other.drop();
  });

  test('what is invalidated by the API or the command is asked for anew by every instance', async () => {
    const other = await createTestDatabase();
    await other.query('create table orders (id int primary key, customer text)');
    const [one, two] = [await start(redis.url), await start(redis.url, {}, other)];
    for (const { streams } of [one, two]) await untilLeading(streams.main);
    const asked = (): number => receiver.requests.filter(({ path }) => path === '/customer/eva').length;
    const known = "select from observers.attempt where observer = 'known'";
    await insert(1, 1, 'eva');
    await untilRows(database, known, 1);
    let n = 0;
    const insertThere = async (): Promise<void> => {
      await other.query('insert into orders values ($1, $2)', [++n, 'eva']);
      await untilRows(other, known, n);
    };
    await insertThere();
    expect(asked()).toBe(1);
    expect(await metric(two, 'observer_cache_hits_total', 'tier="redis"')).toBe(1);
    const api = apiTo(one);
    const answered = await api('POST /cache/invalidate', { json: { lookup: 'customer' } });
    expect([answered.status, answered.body]).toEqual([200, { invalidated: 'customer', by: 'every instance' }]);
    await until(async () => (await insertThere(), asked() === 2));
    expect((await api('POST /cache/invalidate', { json: { lookup: 'custmer' } })).body).toMatchObject({ status: 404, detail: expect.stringContaining('customer') as string }); // prettier-ignore
    const command = programOn(database, file(), { REDIS_URL: redis.url, ...drivers });
    const url = `${receiver.url}/customer/eva`;
    const { code, out, err } = await command.run(['cache', 'invalidate', url, '--format', 'json']);
    expect([code, err, JSON.parse(out)]).toEqual([0, '', { invalidated: url, by: 'every instance' }]);
    await until(async () => (await insertThere(), asked() === 3));
    const operations = "select who, items from observers.operation where what = 'cache: invalidated' order by number";
    const someone = expect.any(String) as string;
    expect(await database.query(operations)).toEqual([
      { who: someone, items: { lookup: 'customer' } },
      { who: someone, items: { url } },
    ]);
    await services.pop()?.stop();
    await other.drop();
  });

  test('doctor looks at Redis as the settings do', async () => {
    await redis.client.config('SET', 'maxmemory', '100mb');
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const command = programOn(database, file(), { REDIS_URL: redis.url, ...drivers });
    const findings = await command.json<{ check: string; state: string; message: string }[]>(['doctor']).catch(() => []);
    const ours = findings.filter(({ check }) => check === 'redis');
    expect(ours.map(({ state }) => state)).toEqual(['ok', 'warning']);
    expect(ours[1]?.message).toContain('allkeys-lru');
    const wrong = programOn(database, file(), { REDIS_URL: 'redis://127.0.0.1:9', ...drivers });
    const problems = await wrong.json<{ check: string; message: string }[]>(['doctor']);
    expect(problems.find(({ check }) => check === 'redis')?.message).toMatch(/^OBSERVERS_DEDUP_DRIVER, OBSERVERS_CACHE_DRIVER: the Redis of REDIS_URL cannot be reached/); // prettier-ignore
  });

  test('a start is refused when nobody is there, and the setting is named', async () => {
    await expect(start('redis://127.0.0.1:9')).rejects.toThrow(/^OBSERVERS_(DEDUP|CACHE)_DRIVER=redis: the Redis of REDIS_URL cannot be reached: .*ECONNREFUSED/); // prettier-ignore
  });
});

test('a service that uses no Redis does not load its client', async () => {
  const probe = "const M = require('module'); const load = M._load; M._load = function (name, ...rest) { if (name === 'ioredis') console.log('LOADED ioredis'); return load.call(this, name, ...rest); };"; // prettier-ignore
  const running = programOn(database, file(), { OBSERVERS_PORT: '0', OBSERVERS_STREAM: 'unused' }).launch(['start'], {
    NODE_OPTIONS: `--require ${writeProbe(probe)}`,
  });
  await running.waitFor(/started/);
  await running.end('SIGTERM');
  expect(running.output()).not.toContain('LOADED ioredis');
});

const folder = mkdtempSync(join(tmpdir(), 'observers-probe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function writeProbe(text: string): string {
  const path = join(folder, 'probe.cjs');
  writeFileSync(path, text);
  return path;
}
