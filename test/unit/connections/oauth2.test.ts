import { HttpSender } from '../../../src/connections/http/http-sender';
import type { EndpointDefinition, OAuth2Auth } from '../../../src/event/definitions';
import { SystemClock } from '../../../src/event/clock';
import { JumpingClock } from '../../support/jumping-clock';
import { status } from '../../support/receiver';
import { endpointOf } from '../../support/stream';
import { containing } from '../../support/texts';
import { CLIENT, startTokenServer, type TokenServer } from '../../support/token-server';
import { until } from '../../support/until';

let server: TokenServer;
let clock: JumpingClock;
const senders: HttpSender[] = [];

beforeEach(async () => {
  server = await startTokenServer();
  clock = new JumpingClock();
});

afterEach(async () => {
  await Promise.all(senders.splice(0).map((sender) => sender.close()));
  await server.close();
});

const authOf = (changed: Partial<OAuth2Auth> = {}): OAuth2Auth => ({
  type: 'oauth2',
  tokenUrl: `${server.url}/token`,
  clientId: CLIENT.id,
  clientSecret: CLIENT.secret,
  scope: null,
  audience: null,
  clientAuth: 'basic',
  tls: null,
  ...changed,
});

function senderOf(auth: Partial<OAuth2Auth> = {}, endpoint: Partial<EndpointDefinition> = {}): HttpSender {
  const sender = new HttpSender(endpointOf(`${server.url}/hook`, { auth: authOf(auth), ...endpoint }), clock);
  senders.push(sender);
  return sender;
}

const REQUEST = { path: '/hook', method: 'POST', headers: ['x-own', 'a'], body: Buffer.from('{}') } as const;
const seconds = (count: number): number => count * 1_000;
const bearers = (): (string | undefined)[] => server.messages.map(({ headers }) => headers['authorization']);

test('fifty requests of two endpoints with one client make do with one token, and each has its own headers besides', async () => {
  const [one, other] = [senderOf(), senderOf({}, { name: 'other', timeout: 4_000 })];
  const outcomes = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? one : other).send(REQUEST)));
  expect(outcomes).toEqual(Array.from({ length: 50 }, () => ({ ok: true, status: 200 })));
  expect(server.grants).toHaveLength(1);
  expect(new Set(bearers())).toEqual(new Set(['Bearer token-first']));
  expect(server.messages[0]?.headers).toMatchObject({ 'x-own': 'a' });
});

test('another secret, scope or audience is another client', async () => {
  await senderOf({ scope: 'orders:write billing', audience: 'https://api.example' }).send(REQUEST);
  await senderOf({ scope: 'orders:write' }).send(REQUEST);
  expect(await senderOf({ clientSecret: 'another' }).send(REQUEST)).toMatchObject({ ok: false, error: 'configuration' });
  expect(server.grants.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))).toEqual([
    { grant_type: 'client_credentials', scope: 'orders:write billing', audience: 'https://api.example' },
    { grant_type: 'client_credentials', scope: 'orders:write' },
    { grant_type: 'client_credentials' },
  ]);
});

test.each(['basic', 'body'] as const)('id and secret with signs in them arrive by %s', async (clientAuth) => {
  expect(await senderOf({ clientAuth }).send(REQUEST)).toEqual({ ok: true, status: 200 });
});

test('the answer of a look-up is asked for with the token too', async () => {
  const [outcome, body] = await senderOf().fetch({ ...REQUEST, method: 'GET', body: null });
  expect([outcome, body.toString()]).toEqual([{ ok: true, status: 200 }, 'you sent Bearer token-first']);
});

test.each([
  // Renewed in its last minute while it is still used, and never used in its last ten seconds.
  ['an hour', 3_600, 3_539, 3_541, 3_591],
  ['a text that is a number', '3600', 3_539, 3_541, 3_591],
  // Of a short one a quarter and a tenth.
  ['20 s', 20, 14, 16, 18.5],
  ['nothing', undefined, 239, 241, 291],
  ['0', 0, 239, 241, 291],
  ['a negative number', -5, 239, 241, 291],
  ['a word', 'soon', 239, 241, 291],
  ['ten years', 315_360_000, 86_339, 86_341, 86_391],
])('of a token with a lifetime of %s the next is fetched before it ends', async (_what, expiresIn, before, renewed, over) => {
  server.grant = { token_type: 'bearer', expires_in: expiresIn };
  const sender = senderOf();
  await sender.send(REQUEST);
  clock.jump(seconds(before));
  await sender.send(REQUEST);
  expect(server.grants).toHaveLength(1);
  clock.jump(seconds(renewed - before));
  await sender.send(REQUEST);
  await until(() => server.grants.length === 2);
  expect(bearers()).toEqual(Array.from({ length: 3 }, () => 'Bearer token-first'));
  await until(async () => (await sender.send(REQUEST)).ok && bearers().at(-1) === 'Bearer token-second');
  clock.jump(seconds(over));
  await sender.send(REQUEST);
  expect(bearers().at(-1)).toBe('Bearer token-third');
});

test('while its server fails, a token that is due for renewal is used, and the server is asked once a second', async () => {
  const sender = senderOf();
  await sender.send(REQUEST);
  server.refuse = status(500);
  clock.jump(seconds(3_550));
  for (let i = 0; i < 5; i++) expect(await sender.send(REQUEST)).toMatchObject({ ok: true });
  await until(() => server.grants.length === 2);
  clock.jump(seconds(2));
  expect(await sender.send(REQUEST)).toMatchObject({ ok: true });
  await until(() => server.grants.length === 3);
});

test('a server that is left alone for its Retry-After gets no requests, and deliveries learn how long that is', async () => {
  server.refuse = status(503, { 'retry-after': '30' });
  const sender = senderOf();
  expect(await sender.send(REQUEST)).toMatchObject({
    error: 'token',
    status: 503,
    retryAfter: 30_000,
    message: containing('answered 503'),
  });
  clock.jump(seconds(20));
  const second = await sender.send(REQUEST);
  expect(second).toMatchObject({ error: 'token', status: 503 });
  expect((second as { retryAfter: number }).retryAfter).toBeLessThanOrEqual(10_000);
  expect(server.grants).toHaveLength(1);
  server.refuse = null;
  clock.jump(seconds(10));
  expect(await sender.send(REQUEST)).toMatchObject({ ok: true });
});

test.each([
  [
    '400 invalid_client',
    400,
    '{"error":"invalid_client"}',
    'configuration',
    'refuses the client: 400 invalid_client; correct client_id, client_secret or client_auth',
  ],
  ['401 without a word', 401, 'no', 'configuration', 'refuses the client: 401; correct token_url or the client'],
  ['400 invalid_scope', 400, '{"error":"invalid_scope"}', 'configuration', 'correct scope'],
  ['404', 404, '', 'configuration', 'refuses the client: 404'],
  ['410, which is of the token server and not of the endpoint', 410, '', 'configuration', '410'],
  ['a redirect', 302, '', 'configuration', '302'],
  ['200 with an error in it', 200, '{"error":"invalid_client"}', 'configuration', '200 invalid_client'],
  ['a token of another type', 200, '{"access_token":"abcdefgh","token_type":"DPoP"}', 'configuration', 'no Bearer tokens'],
  ['400 temporarily_unavailable', 400, '{"error":"temporarily_unavailable"}', 'token', 'answered 400 temporarily_unavailable'],
  ['429', 429, '', 'token', 'answered 429'],
  ['500', 500, '', 'token', 'answered 500'],
  ['200 with a page', 200, '<html>log in</html>', 'token', 'no JSON object'],
  ['200 without a token', 200, '{}', 'token', 'without an access_token'],
  ['a token that no header holds', 200, '{"access_token":"a\\r\\nx: y"}', 'token', 'without an access_token'],
  ['an answer without end', 200, 'x'.repeat(70_000), 'token', 'longer than 64 KiB'],
])('a token server that answers %s: what becomes of the delivery, and why', async (_what, code, answer, error, message) => {
  server.refuse = status(code, {}, answer);
  expect(await senderOf().send(REQUEST)).toMatchObject({ ok: false, error, message: containing(message) });
  expect(server.messages).toEqual([]);
});

test.each([
  ['that hangs up', (): string => `${server.url}/token`, 'token', 'no access token from 127.0.0.1'],
  ['whose port is closed', (): string => 'http://127.0.0.1:9/token', 'token', 'no access token from 127.0.0.1:9'],
  ['whose name leads nowhere', (): string => 'https://nowhere.invalid/token', 'token', 'no access token from nowhere.invalid'],
  ['whose address is not allowed', (): string => 'https://10.1.2.3/token', 'blocked_address', 'no access token from 10.1.2.3'],
  ['that speaks no TLS', (): string => `https://127.0.0.1:${server.port}/token`, 'tls', 'no access token from 127.0.0.1'],
])('a token server %s', async (_what, tokenUrl, error, message) => {
  server.refuse = (_request, response) => void response.destroy();
  expect(await senderOf({ tokenUrl: tokenUrl() }).send(REQUEST)).toMatchObject({ error, status: null, message: containing(message) });
});

test('a 401 drops the token, and the next try goes with a new one; a second refusal is the last word', async () => {
  const sender = senderOf();
  expect(await sender.send(REQUEST)).toMatchObject({ ok: true });
  server.taken = ['token-second'];
  expect(await sender.send(REQUEST)).toMatchObject({ error: 'token_refused', status: 401, excerpt: 'you sent Bearer [access token]' });
  expect(await sender.send(REQUEST)).toMatchObject({ ok: true });
  server.taken = [];
  expect(await sender.send(REQUEST)).toMatchObject({ error: 'token_refused' });
  for (let i = 0; i < 3; i++)
    expect(await sender.send(REQUEST)).toMatchObject({ error: 'http_status', status: 401, message: containing('fetched anew') });
  expect(server.grants).toHaveLength(3);
  // It is not believed for ever: what was mended over there is found out.
  clock.jump(seconds(31));
  expect(await sender.send(REQUEST)).toMatchObject({ error: 'http_status' });
  server.taken = null;
  expect(await sender.send(REQUEST)).toMatchObject({ ok: true });
  expect(server.grants).toHaveLength(4);
});

test('many at once whose token is refused fetch one new token', async () => {
  const sender = senderOf();
  await sender.send(REQUEST);
  server.taken = ['token-second'];
  const refused = await Promise.all(Array.from({ length: 20 }, () => sender.send(REQUEST)));
  expect(new Set(refused.map((outcome) => (outcome.ok ? 'ok' : outcome.error)))).toEqual(new Set(['token_refused']));
  const then = await Promise.all(Array.from({ length: 20 }, () => sender.send(REQUEST)));
  expect(then.every(({ ok }) => ok)).toBe(true);
  expect(server.grants).toHaveLength(2);
});

describe('waiting for a token', () => {
  let answer: () => void;
  beforeEach(() => {
    server.refuse = (_request, response) => {
      answer = () => void response.writeHead(200).end('{"access_token":"token-late","token_type":"Bearer","expires_in":60}');
    };
    server.taken = ['token-late'];
  });

  test('nobody waits beyond their own time, and others go on waiting', async () => {
    const [hasty, patient] = [senderOf({}, { timeout: 100 }), senderOf({}, { timeout: 9_000 })];
    const waiting = patient.send(REQUEST);
    expect(await hasty.send(REQUEST)).toMatchObject({ error: 'token', message: containing('within 100 ms') });
    answer();
    expect(await waiting).toMatchObject({ ok: true });
    expect(server.grants).toHaveLength(1);
  });

  test('one sender that is closed is interrupted, and the other gets the token', async () => {
    const [closed, open] = [senderOf(), senderOf({}, { name: 'open' })];
    const [interrupted, waiting] = [closed.send(REQUEST), open.send(REQUEST)];
    await server.waitFor(1);
    await closed.close();
    expect(await interrupted).toMatchObject({ error: 'interrupted' });
    answer();
    expect(await waiting).toMatchObject({ ok: true });
  });

  test('when all are closed the request for the token ends too', async () => {
    const sender = senderOf();
    let ended = false;
    server.refuse = (_request, response) => void response.once('close', () => (ended = true));
    const waiting = sender.send(REQUEST);
    await server.waitFor(1);
    await sender.close();
    expect(await waiting).toMatchObject({ error: 'interrupted' });
    await until(() => ended);
  });
});

test('a token server that repeats the client’s credentials does not bring them to the record', async () => {
  server.refuse = (request, response) => void response.writeHead(400).end(`what is ${request.headers['authorization']}?`);
  expect(await senderOf().send(REQUEST)).toMatchObject({ error: 'configuration', excerpt: 'what is [secret]?' });
});

test('the system’s clock is the one that is used where none is given', async () => {
  const sender = new HttpSender(endpointOf(`${server.url}/hook`, { auth: authOf() }));
  senders.push(sender);
  expect(sender.clock).toBeInstanceOf(SystemClock);
  expect(await sender.send(REQUEST)).toMatchObject({ ok: true });
});
