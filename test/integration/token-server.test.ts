import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { HttpSender } from '../../src/connections/http/http-sender';
import type { EndpointDefinition, OAuth2Auth } from '../../src/event/definitions';
import type { Outcome } from '../../src/event/outcome';
import { createAuthority } from '../support/certificate';
import { startConnectProxy, type ConnectProxy } from '../support/connect-proxy';
import { startReceiver, type Receiver } from '../support/receiver';
import { endpointOf } from '../support/stream';
import { containing } from '../support/texts';

// How the token server of an endpoint is reached: as the endpoint is.

const authority = createAuthority();
const other = createAuthority('Another Authority');
const clients = createAuthority('Clients');
const client = clients.issue({});

let proxy: ConnectProxy;
let receiver: Receiver;
let tokens: Server;
let port: number;
const senders: HttpSender[] = [];

beforeAll(async () => {
  proxy = await startConnectProxy();
  receiver = await startReceiver();
  const options = { ...authority.issue({ names: ['auth.example', 'IP:127.0.0.1'] }), requestCert: true, ca: clients.cert };
  tokens = createServer(options, (request, response) => {
    request.resume().on('end', () => response.writeHead(200).end('{"access_token":"from-tls","token_type":"Bearer"}'));
  });
  tokens.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
  port = (tokens.address() as AddressInfo).port;
  proxy.names.set('auth.example', port).set('shop.example', receiver.port);
});

afterEach(async () => {
  await Promise.all(senders.splice(0).map((sender) => sender.close()));
  proxy.asked.length = 0;
  receiver.requests.length = 0;
});

afterAll(async () => {
  await proxy.close();
  await receiver.close();
  await new Promise((resolve) => tokens.close(resolve));
});

const tls = { ca: authority.cert, cert: client.cert, key: client.key };

async function send(auth: Partial<OAuth2Auth>, endpoint: Partial<EndpointDefinition> = {}): Promise<Outcome> {
  const whole: OAuth2Auth = { type: 'oauth2', tokenUrl: `https://127.0.0.1:${port}/token`, clientId: 'a', clientSecret: 'secret-word', scope: null, audience: null, clientAuth: 'basic', tls, ...auth }; // prettier-ignore
  const sender = new HttpSender(endpointOf(endpoint.url ?? `${receiver.url}/hook`, { auth: whole, ...endpoint }));
  senders.push(sender);
  return sender.send({ path: '/hook', method: 'POST', headers: [], body: Buffer.from('x') });
}
const bearer = (): string | undefined => receiver.requests[0]?.headers['authorization'];

test('by its authority, and with a client certificate', async () => {
  expect(await send({})).toEqual({ ok: true, status: 204 });
  expect(bearer()).toBe('Bearer from-tls');
});

test.each([
  ['an authority that is not trusted', { tls: { ...tls, ca: other.cert } }, 'no authority in the endpoint'],
  ['no client certificate', { tls: { ...tls, cert: null, key: null } }, 'wants a client certificate'],
])('not with %s: nothing goes to the receiver', async (_what, auth, message) => {
  expect(await send(auth)).toMatchObject({ error: 'tls', message: containing(message) });
  expect(receiver.requests).toEqual([]);
});

test.each([
  ['by its address', {}],
  ['by its name', { tokenUrl: '' }],
])('not where its address is not allowed, %s', async (_what, { tokenUrl }: Partial<OAuth2Auth>) => {
  const url = tokenUrl === '' ? `https://localhost:${port}/token` : `https://127.0.0.1:${port}/token`;
  expect(await send({ tokenUrl: url }, { name: 'shop', allowAddresses: [] })).toMatchObject({
    error: 'blocked_address',
    message: containing('no access token from'),
  });
});

test('through the endpoint’s proxy, as the request itself', async () => {
  const through = { url: 'http://shop.example/hook', proxy: `http://127.0.0.1:${proxy.port}`, allowAddresses: [] };
  expect(await send({ tokenUrl: 'https://auth.example/token' }, through)).toEqual({ ok: true, status: 204 });
  expect(proxy.asked).toEqual(['auth.example:443 200', 'shop.example:80 200']);
  expect(bearer()).toBe('Bearer from-tls');
});

test('a proxy that refuses is told as what kept the token away', async () => {
  proxy.credentials = 'u:p';
  const through = { proxy: `http://127.0.0.1:${proxy.port}`, allowAddresses: ['loopback'] };
  expect(await send({ tokenUrl: 'https://auth.example/token?2' }, through)).toMatchObject({
    error: 'token',
    status: null,
    message: containing('(407)'),
  });
  proxy.credentials = null;
});
