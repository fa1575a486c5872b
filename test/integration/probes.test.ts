import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import request from 'supertest';
import { loadConfiguration } from '../../src/config/load';
import { startService, type Service } from '../../src/lifecycle';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { eventually } from '../support/stream';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';

const OBSERVERS = `version: 1
capture:
  - { table: public.orders, entity: Order }
endpoints:
  sink: { url: "\${SINK_URL}", allow_addresses: [loopback] }
observers:
  - { name: all, entity: Order, actions: [{ type: webhook, endpoint: sink }] }
`;

let database: TestDatabase;
let receiver: Receiver;
let proxy: TcpProxy;
let folder: string;
const services: Service[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  proxy = await startTcpProxy('127.0.0.1', Number(new URL(database.url).port));
  folder = mkdtempSync(join(tmpdir(), 'observers-probes-'));
  writeFileSync(join(folder, 'observers.yaml'), OBSERVERS);
  await database.query('create table public.orders (id bigint primary key)');
});

afterEach(async () => {
  for (const service of services.splice(0)) await service.stop();
  await proxy.close();
  await receiver.close();
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function start(url = database.url): Promise<Service> {
  const env = { DATABASE_URL: url, SINK_URL: receiver.url, OBSERVERS_PORT: '0', OBSERVERS_SHUTDOWN_TIMEOUT: '1s' };
  const configuration = loadConfiguration({ env, configFile: join(folder, 'observers.yaml') });
  const service = await startService({
    configuration,
    logger: pino({ level: 'silent' }),
    applyCapture: true,
    strict: false,
    onFatal: (error) => { throw error; }, // prettier-ignore
  });
  services.push(service);
  return service;
}

interface Probe {
  readonly status: number;
  readonly body: { readonly status: string; readonly details: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
}

const ask = async (service: Service, which: string): Promise<Probe> => {
  const { status, body } = await request(`http://${service.address}`).get(`/health/${which}`);
  return { status, body: body as Probe['body'] };
};
const becomes = (service: Service, which: string, status: number): Promise<Probe> =>
  eventually(() => ask(service, which), (probe) => probe.status === status, 20_000); // prettier-ignore

test('a leader and a stand-by are live, started and ready, and say which they are', async () => {
  const leader = await start();
  expect((await becomes(leader, 'startup', 200)).body.details['stream']).toMatchObject({ status: 'up', state: 'leading' });
  expect((await ask(leader, 'live')).status).toBe(200);
  expect((await ask(leader, 'ready')).body.details).toMatchObject({
    database: { status: 'up' },
    progress: { status: 'up', state: 'leading' },
  });
  const standBy = await start();
  expect((await becomes(standBy, 'startup', 200)).body.details['stream']).toMatchObject({ state: 'standing by' });
  expect((await ask(standBy, 'ready')).status).toBe(200);
});

test('without the database it is live and not ready, with the reason; when it is back, so is readiness', async () => {
  const url = new URL(database.url);
  url.port = String(proxy.port);
  const service = await start(url.toString());
  await becomes(service, 'ready', 200);
  proxy.blackhole();
  const { body } = await becomes(service, 'ready', 503);
  expect(body.details['database']).toMatchObject({ status: 'down' });
  expect((await ask(service, 'live')).status).toBe(200);
  proxy.restore();
  proxy.reset();
  await becomes(service, 'ready', 200);
  await database.query('insert into orders values (1)');
  await receiver.waitFor(1);
}, 90_000);

test('a stop closes the port', async () => {
  const service = await start();
  await becomes(service, 'ready', 200);
  await services.pop()?.stop();
  await expect(ask(service, 'live')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('twenty starts and stops leave nothing behind in the process, and no session in the database', async () => {
  const resources = (): string[] => process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').sort(); // prettier-ignore
  const listeners = (): number => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  const round = async (id: number): Promise<void> => {
    const service = await start();
    await becomes(service, 'startup', 200);
    await database.query('insert into orders values ($1)', [id]);
    await receiver.waitFor(id);
    await services.pop()?.stop();
  };
  await round(1);
  const [before, listening] = [resources(), listeners()];
  for (let id = 2; id <= 20; id++) await round(id);
  await eventually(() => Promise.resolve(resources()), (now) => now.length <= before.length, 5_000); // prettier-ignore
  expect(listeners()).toBe(listening);
  const sessions = await eventually(
    () => database.query<{ name: string }>("select application_name as name from pg_stat_activity where datname = current_database() and application_name like 'fraiseql-observers%' and pid <> pg_backend_pid()"),
    (rows) => rows.length === 0,
    5_000,
  ); // prettier-ignore
  expect(sessions).toEqual([]);
}, 120_000);
