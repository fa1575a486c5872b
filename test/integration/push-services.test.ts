import { createECDH } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PushActionDefinition, WebPushDefinition } from '../../src/event/definitions';
import { readStatus } from '../../src/status/status.sql';
import { givenOrders } from '../support/fixture';
import { startPushService } from '../support/push-service';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { atLeast, eventually, until, untilRows } from '../support/until';

const VAPID = createECDH('prime256v1');
VAPID.generateKeys();
const SETTINGS = { vapidPrivateKey: VAPID.getPrivateKey('base64url'), vapidSubject: 'mailto:push@shop.example' };

/** Push services are the addresses of this machine, each an origin of its own; a message is known by the path of its subscription. */
interface Services {
  readonly requests: { readonly host: string; readonly path: string }[];
  answer: (host: string, response: ServerResponse) => void;
  origin(n: number): string;
  close(): Promise<void>;
}

async function startServices(): Promise<Services> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      services.requests.push({ host: request.headers.host ?? '', path: request.url ?? '' });
      services.answer(request.headers.host ?? '', response);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '0.0.0.0', listening));
  const { port } = server.address() as AddressInfo;
  const services: Services = {
    requests: [],
    answer: (_host, response) => void response.writeHead(201).end(),
    origin: (n) => `http://127.0.1.${n}:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return services;
}

const given = givenOrders('create table public.orders (id int primary key, browser jsonb, note int)', startPushService);
let services: Services;
beforeEach(async () => void (services = await startServices()));
afterEach(() => services.close());

async function start(): Promise<void> {
  const to: WebPushDefinition = {
    provider: 'web push',
    subscription: '{{ browser | json }}',
    notification: { title: '{{ note }}' },
    data: {},
    ttl: null,
    urgency: null,
    allowAddresses: ['loopback'],
    timeout: 20_000,
  };
  const action: PushActionDefinition = { type: 'push', name: 'push', timeout: 20_000, to };
  const unused = endpointOf('http://127.0.0.1:9/unused');
  const retry = { ...FAST_RETRY, maxAttempts: 100 };
  await given.start([observerOf('all', unused, { actions: [action], retry })], { settings: SETTINGS });
}

/** Rows `from` to `to`, each with a subscription at the service that is said. */
async function insert(from: number, to: number, serviceOf: (row: number) => number): Promise<void> {
  const { keys } = given.receiver.subscription;
  const rows = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const browsers = rows.map((row) => JSON.stringify({ endpoint: `${services.origin(serviceOf(row))}/${row}`, keys }));
  await given.database.query('insert into orders select * from unnest($1::int[], $2::jsonb[])', [rows, browsers]);
}
const succeeded = (count: number): Promise<unknown> =>
  untilRows(given.database, "select from observers.attempt where outcome = 'succeeded'", count);
const troubled = async (): Promise<(string | undefined)[]> =>
  (await readStatus(given.database.client, 'main')).listeners
    .flatMap(({ endpoints }) => endpoints)
    .map(({ name, breaker }) => `${name} ${breaker?.state}`);
const hostOf = (service: number): string => new URL(services.origin(service)).host;

test('ten push services that are slow, and eighty others meanwhile: each message is sent once', async () => {
  const slow: ServerResponse[] = [];
  const slowHosts = new Set(Array.from({ length: 10 }, (_, i) => hostOf(i + 1)));
  services.answer = (host, response) => void (slowHosts.has(host) ? slow.push(response) : response.writeHead(201).end());
  await start();
  await insert(1, 10, (row) => row);
  await until(() => slow.length === 10);
  await insert(11, 90, (row) => row);
  await succeeded(80);
  for (const response of slow) response.writeHead(201).end();
  await succeeded(90);
  expect(await given.database.query("select from observers.attempt where outcome <> 'succeeded'")).toEqual([]);
  expect(new Set(services.requests.map(({ path }) => path)).size).toBe(90);
  expect(services.requests).toHaveLength(90);
});

test('a push service that fails is left alone, and its messages wait behind nobody else; after a restart they go, in order', async () => {
  services.answer = (host, response) => void response.writeHead(host === hostOf(1) ? 500 : 201).end();
  await start();
  await insert(1, 30, () => 1);
  const name = `web push: ${services.origin(1)}`;
  await eventually(troubled, (all) => all.includes(`${name} open`));
  await insert(101, 140, (row) => 2 + (row % 3));
  await succeeded(40);
  await insert(200, 200, () => 1);
  for (let note = 1; note <= 5; note++) await given.database.query('update orders set note = $1 where id = 200', [note]);
  await untilRows(
    given.database,
    `select from observers.pending_delivery where lane ~ '\\n200\\n' and state = 'queued' and endpoint = '${name}'`,
    6,
  );
  const late = services.requests.length;
  await given.stop();
  services.answer = (_host, response) => void response.writeHead(201).end();
  await start();
  await succeeded(40 + 30 + 6);
  expect(await given.database.query('select from observers.pending_delivery')).toEqual([]);
  expect(services.requests.slice(late).filter(({ path }) => path === '/200')).toHaveLength(6);
  const order = await given.database.query<{ n: string }>("select change_number as n from observers.attempt a join core.tb_entity_change_log l on l.pk_entity_change_log = a.change_number where l.object_key = '200' order by a.finished_at"); // prettier-ignore
  expect(order.map(({ n }) => Number(n))).toEqual(order.map(({ n }) => Number(n)).sort((a, b) => a - b));
});

test('a push service that hangs holds up its own messages, and no others', async () => {
  const hanging: ServerResponse[] = [];
  services.answer = (host, response) => void (host === hostOf(1) ? hanging.push(response) : response.writeHead(201).end());
  await start();
  await insert(1, 100, () => 1);
  await until(() => hanging.length === 32);
  await untilRows(given.database, 'select from observers.pending_delivery', 100);
  await insert(101, 200, (row) => 2 + (row % 5));
  await succeeded(100);
  expect(hanging).toHaveLength(32);
  services.answer = (_host, response) => void response.writeHead(201).end();
  for (const response of hanging) response.writeHead(201).end();
  await succeeded(200);
});

test('a hundred and fifty push services at once: what has no gate of its own shares one, and all messages arrive', async () => {
  const waiting: ServerResponse[] = [];
  services.answer = (_host, response) => void waiting.push(response);
  await start();
  await insert(1, 150, (row) => row);
  // A hundred with a gate of their own, and as many of the others as one endpoint has places.
  await until(() => waiting.length === 132);
  services.answer = (_host, response) => void response.writeHead(201).end();
  for (const response of waiting) response.writeHead(201).end();
  await succeeded(150);
  await untilRows(given.database, 'select from observers.attempt', atLeast(150));
  expect(services.requests).toHaveLength(150);
});
