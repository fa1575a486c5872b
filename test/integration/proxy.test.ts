import { createServer, type Server } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { HttpSender } from '../../src/connections/http/http-sender';
import type { EndpointDefinition } from '../../src/event/definitions';
import type { Outcome } from '../../src/event/outcome';
import { createAuthority } from '../support/certificate';
import { startConnectProxy, type ConnectProxy } from '../support/connect-proxy';
import { createTestDatabase } from '../support/database';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { startTestService } from '../support/service';
import { endpointOf } from '../support/stream';
import { containing, matching } from '../support/texts';
import { until, untilLeading } from '../support/until';

const authority = createAuthority();
const clients = createAuthority('Clients');
const client = clients.issue({});

let proxy: ConnectProxy;
let receiver: Receiver;
let secure: Server;
let securePort: number;
const senders: HttpSender[] = [];

beforeAll(async () => {
  proxy = await startConnectProxy();
  receiver = await startReceiver();
  secure = createServer({ ...authority.issue({ names: ['shop.example'] }), requestCert: true, ca: clients.cert }, (request, response) => {
    request.resume().on('end', () => response.writeHead(201).end());
  });
  secure.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  securePort = (secure.address() as AddressInfo).port;
  proxy.names.set('shop.example', receiver.port);
});

afterEach(async () => {
  await Promise.all(senders.splice(0).map((sender) => sender.close()));
  proxy.credentials = null;
  proxy.asked.length = 0;
  receiver.answer = status(204);
});

afterAll(async () => {
  await proxy.close();
  await receiver.close();
  await new Promise((resolve) => secure.close(resolve));
});

async function send(url: string, changed: Partial<EndpointDefinition> = {}): Promise<Outcome> {
  const sender = new HttpSender(endpointOf(url, { proxy: `http://127.0.0.1:${proxy.port}`, allowAddresses: [], ...changed }));
  senders.push(sender);
  return sender.send({ path: '/hook', method: 'POST', headers: [], body: Buffer.from('x') });
}

test('an http receiver is reached through a tunnel, by a name that only the proxy knows', async () => {
  const before = receiver.requests.length;
  expect(await send('http://shop.example/hook')).toEqual({ ok: true, status: 204 });
  expect(proxy.asked).toEqual(['shop.example:80 200']);
  expect(receiver.requests.slice(before)).toMatchObject([{ path: '/hook', body: 'x', headers: { host: 'shop.example' } }]);
  expect(receiver.requests.at(-1)?.headers).not.toHaveProperty('proxy-authorization');
});

test('an https receiver is spoken to in TLS through the tunnel, with the endpoint’s authority and certificate', async () => {
  proxy.names.set('shop.example', securePort);
  const tls = { ca: authority.cert, cert: client.cert, key: client.key };
  expect(await send('https://shop.example/hook', { tls })).toEqual({ ok: true, status: 201 });
  expect(proxy.asked).toEqual(['shop.example:443 200']);
  expect(await send('https://shop.example/hook', { tls: null })).toMatchObject({ error: 'tls' });
  expect(await send('https://shop.example/hook', { tls: { ...tls, cert: null, key: null } })).toMatchObject({
    error: 'tls',
    message: matching(/wants a client certificate/),
  });
  proxy.names.set('shop.example', receiver.port);
});

test('tunnels are kept for the next requests, and user and password are decoded', async () => {
  proxy.credentials = 'us er:p@ss:w%rd';
  const sender = new HttpSender(
    endpointOf('http://shop.example/hook', { proxy: `http://us%20er:p%40ss%3Aw%25rd@127.0.0.1:${proxy.port}`, allowAddresses: [] }),
  );
  senders.push(sender);
  for (let i = 0; i < 5; i++) expect(await sender.send({ path: '/', method: 'POST', headers: [], body: null })).toMatchObject({ ok: true });
  // undici begins a second connection while the first is not quite free.
  expect(proxy.asked.length).toBeLessThanOrEqual(2);
});

test.each([
  ['http://10.0.0.1/', /10\.0\.0\.1 is not a public address/],
  ['http://127.0.0.1/', /127\.0\.0\.1 is not a public address/],
  ['http://169.254.169.254/', /not a public address/],
  ['http://[::1]/', /not a public address/],
])('%s is refused before the proxy is asked: an address in the url is checked as without a proxy', async (url, message) => {
  expect(await send(url)).toMatchObject({ error: 'blocked_address', message: matching(message) });
  expect(proxy.asked).toEqual([]);
});

test('an address in the url that is allowed goes through the proxy', async () => {
  expect(await send(`http://127.0.0.1:${receiver.port}/`, { allowAddresses: ['loopback'] })).toEqual({ ok: true, status: 204 });
  expect(proxy.asked).toEqual([`127.0.0.1:${receiver.port} 200`]);
});

test.each([407, 502])('a %i of the receiver itself is the receiver’s', async (code) => {
  receiver.answer = status(code);
  expect(await send('http://shop.example/')).toMatchObject({ error: 'http_status', status: code });
});

test('a proxy that wants credentials, or others than it gets, is told apart, and the credentials are not shown', async () => {
  proxy.credentials = 'user:secret';
  const none = await send('http://shop.example/');
  expect(none).toMatchObject({ error: 'proxy', status: 407, message: matching(/asks for a user and a password \(407\)/) });
  const wrong = await send('http://shop.example/', { proxy: `http://CANARY1:CANARY2@127.0.0.1:${proxy.port}` });
  expect(wrong).toMatchObject({ error: 'proxy', status: 407, message: matching(/does not accept the user and password/) });
  expect(JSON.stringify([none, wrong])).not.toContain('CANARY');
});

test('a receiver that the proxy cannot reach is the proxy’s 502', async () => {
  proxy.names.set('closed.example', 1);
  const expected = `the proxy 127.0.0.1:${proxy.port} could not connect to closed.example:80 (502)`;
  expect(await send('http://closed.example/')).toMatchObject({ error: 'proxy', status: 502, message: expected, excerpt: null });
});

test.each([
  ['refuses connections', null, /made no tunnel: connect ECONNREFUSED/],
  ['hangs up', '', /made no tunnel: socket hang up/],
  ['speaks another protocol', 'SSH-2.0-OpenSSH\r\n', /made no tunnel: Parse Error/],
])('a proxy that %s is a fault of the proxy', async (_what, answer, message) => {
  const server = createTcpServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(answer ?? '')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  if (answer === null) await new Promise((resolve) => server.close(resolve));
  const outcome = await send('http://shop.example/', { proxy: `http://CANARY1:CANARY2@127.0.0.1:${port}` });
  expect(outcome).toMatchObject({ error: 'proxy', status: null, message: matching(message) });
  expect(JSON.stringify(outcome)).not.toContain('CANARY');
  server.close();
});

test('a proxy whose name is unknown is a fault of the proxy', async () => {
  expect(await send('http://shop.example/', { proxy: 'http://proxy.invalid:3128' })).toMatchObject({ error: 'proxy' });
});

test('a proxy that never answers is a timeout that names it, and a stop does not wait for it', async () => {
  const server = createTcpServer((socket) => socket.on('error', () => undefined).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const silent = { proxy: `http://127.0.0.1:${port}` };
  expect(await send('http://shop.example/', { ...silent, timeout: 100 })).toMatchObject({
    error: matching(/timeout|proxy/),
    message: containing(`the proxy 127.0.0.1:${port}`),
  });
  const accepted = new Promise((resolve) => server.once('connection', resolve));
  const hanging = send('http://shop.example/', { ...silent, timeout: 60_000 });
  await accepted;
  await senders.pop()?.close();
  expect(await hanging).toMatchObject({ error: 'interrupted' });
  await Promise.all(senders.splice(0).map((sender) => sender.close()));
  await new Promise((resolve) => server.close(resolve));
});

test('deliveries of a service go through the proxy that the file names', async () => {
  const database = await createTestDatabase();
  await database.query('create table public.orders (id bigint primary key)');
  const file = `version: 1
capture: [{ table: public.orders, entity: Order }]
observers: [{ name: a, entity: Order, actions: [{ type: webhook, url: "http://shop.example/x", proxy: "http://127.0.0.1:${proxy.port}" }] }]`;
  const service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
  await database.query('insert into orders values (1)');
  await until(async () => (await database.query('select outcome from observers.attempt'))[0]?.['outcome'] === 'succeeded');
  expect(proxy.asked).toEqual(['shop.example:80 200']);
  await service.stop();
  await database.drop();
});
