import { connect } from 'node:net';
import request from 'supertest';
import type { Service } from '../../src/lifecycle/start-service';
import { JumpingClock } from '../support/jumping-clock';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestService, type TestServiceOptions } from '../support/service';
import { atLeast, eventually, untilRows } from '../support/until';
import { startTcpProxy } from '../support/tcp-proxy';
import { containing } from '../support/texts';

let database: TestDatabase;
const services: Service[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  for (const service of services.splice(0)) await service.stop();
  await database.drop();
});

async function start(options: TestServiceOptions = {}, url = database.url): Promise<Service> {
  const service = await startTestService(url, options);
  services.push(service);
  return service;
}

const PROBES = ['live', 'ready', 'startup'] as const;
type Statuses = Record<(typeof PROBES)[number], number>;

async function probes({ address }: Service): Promise<Statuses> {
  const asked = PROBES.map(async (probe) => [probe, (await request(`http://${address}`).get(`/health/${probe}`)).status] as const);
  return Object.fromEntries(await Promise.all(asked)) as Statuses;
}

const UP: Statuses = { live: 200, ready: 200, startup: 200 };
const reach = (service: Service, wanted: Statuses, timeout?: number): Promise<Statuses> =>
  eventually(
    () => probes(service),
    (found) => PROBES.every((probe) => found[probe] === wanted[probe]),
    timeout,
  );

const ready = async ({ address }: Service): Promise<request.Response> => request(`http://${address}`).get('/health/ready');

test('while it starts it lives, and is neither started nor ready; then it is both', async () => {
  await database.query('begin; lock table observers.lease in access exclusive mode');
  const service = await start();
  expect(await probes(service)).toEqual({ live: 200, ready: 503, startup: 503 });
  expect((await ready(service)).body).toMatchObject({
    status: 'error',
    error: { progress: { status: 'down', state: 'starting' } },
    info: { database: { status: 'up' } },
  });
  await database.query('commit');
  await reach(service, UP);
  expect((await ready(service)).body).toMatchObject({ status: 'ok', info: { progress: { state: 'leading' } } });
});

test('an instance that stands by is ready too, and says what it does', async () => {
  await reach(await start(), UP);
  const second = await start();
  await reach(second, UP);
  expect((await ready(second)).body).toMatchObject({ info: { progress: { state: 'standing by' } } });
});

test('without an answer from the database it is not ready, within seconds, but lives; and is ready again after', async () => {
  const { hostname, port } = new URL(database.url);
  const proxy = await startTcpProxy(hostname, Number(port));
  const url = new URL(database.url);
  url.host = `127.0.0.1:${proxy.port}`;
  const service = await start({}, url.toString());
  await reach(service, UP);
  proxy.blackhole();
  const begun = performance.now();
  const answer = await ready(service);
  expect([answer.status, performance.now() - begun < 3_000]).toEqual([503, true]);
  expect(answer.body).toMatchObject({ error: { database: { status: 'down', message: containing('no answer') } } });
  expect(JSON.stringify(answer.body)).not.toContain(url.password);
  expect((await request(`http://${service.address}`).get('/health/live')).status).toBe(200);
  proxy.restore();
  await reach(service, UP, 30_000);
  // Gone with a reset, as at a restart: the same.
  proxy.reset();
  await reach(service, UP, 30_000);
  await services.pop()!.stop();
  await proxy.close();
});

test('a stop comes to its end while the database does not answer', async () => {
  const { hostname, port } = new URL(database.url);
  const proxy = await startTcpProxy(hostname, Number(port));
  const url = new URL(database.url);
  url.host = `127.0.0.1:${proxy.port}`;
  const service = await start({ env: { OBSERVERS_SHUTDOWN_TIMEOUT: '1s' } }, url.toString());
  await reach(service, UP);
  proxy.blackhole();
  const begun = performance.now();
  await services.pop()!.stop();
  expect(performance.now() - begun).toBeLessThan(25_000);
  await proxy.close();
});

test('a stream that leads and makes no progress is not ready, and is again when it goes on', async () => {
  const clock = new JumpingClock();
  const service = await start({ clock });
  await reach(service, UP);
  await database.query('begin; lock table core.tb_entity_change_log in access exclusive mode');
  // The next page waits for the lock; half a minute goes by.
  await untilRows(database, 'select 1 from pg_locks where not granted', atLeast(1));
  expect((await ready(service)).status).toBe(200);
  clock.jump(31_000);
  const { status, body } = await ready(service);
  expect(status).toBe(503);
  expect(body).toMatchObject({ info: { database: { status: 'up' } }, error: { progress: { status: 'down' } } });
  expect((body as { error: { progress: { silent_ms: number } } }).error.progress.silent_ms).toBeGreaterThan(30_000);
  await database.query('rollback');
  await reach(service, UP);
});

test('an idle stream that looks once a minute is not taken for a stuck one', async () => {
  const clock = new JumpingClock();
  const service = await start({ clock, env: { OBSERVERS_POLL_INTERVAL: '1m' } });
  await reach(service, UP);
  await untilRows(database, "select 1 from pg_locks where locktype = 'advisory' and granted and classid = 1868718693", 1);
  clock.jump(55_000);
  expect((await ready(service)).status).toBe(200);
});

test('what is not a probe is 404, and says nothing of the inside', async () => {
  const { address } = await start();
  const { status, text } = await request(`http://${address}`).get('/health/../etc');
  expect(status).toBe(404);
  expect(text).not.toMatch(/node_modules|at \w+ \(/);
});

test('a stop closes the port, also with a connection open that asks nothing', async () => {
  const service = await start();
  await reach(service, UP);
  const [host, port] = service.address.split(':');
  const socket = connect(Number(port), host);
  await new Promise((resolve) => socket.once('connect', resolve));
  const closed = new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve));
  const begun = performance.now();
  await services.pop()!.stop();
  await closed;
  expect(performance.now() - begun).toBeLessThan(15_000);
  await expect(request(`http://${service.address}`).get('/health/live')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
