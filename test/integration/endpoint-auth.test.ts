import { createTestDatabase, type TestDatabase } from '../support/database';
import { expectedAwsSignature, authorizationOf } from '../support/aws-verifier';
import { failing, startReceiver, status, type Receiver } from '../support/receiver';
import { programOn } from '../support/redrive';
import { givenRenderings, expectArrived, http } from '../support/rendering';
import { startTestService, type TestService } from '../support/service';
import { endpointOf } from '../support/stream';
import { containing } from '../support/texts';
import { CLIENT, startTokenServer, type TokenServer } from '../support/token-server';
import { eventually, until, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let server: TokenServer;
const services: TestService[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  server = await startTokenServer();
  await database.query('create table public.orders (id int primary key, note text)');
});

afterEach(async () => {
  for (const service of services.splice(0)) await service.stop();
  await server.close();
  await database.drop();
});

const ENV = { CLIENT_ID: CLIENT.id, CLIENT_SECRET: CLIENT.secret };
const authTo = (changed = ''): string =>
  `auth: { type: oauth2, token_url: "${server.url}/token", client_id: "\${CLIENT_ID}", client_secret: "\${CLIENT_SECRET}"${changed} }`;
const RETRY = 'retry: { strategy: fixed, max_attempts: 5, initial_delay: 20ms, max_delay: 1s }, ';
const fileOf = (endpoint: string, actions = '{ type: webhook, endpoint: shop }', more = ''): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { shop: { url: "${server.url}/hook", allow_addresses: [loopback], ${endpoint} } }
${more}
observers: [{ name: all, entity: Order, ${RETRY}actions: [${actions}] }]
`;

async function lead(file: string, env: Record<string, string> = ENV): Promise<TestService> {
  const service = await startTestService(database.url, { file, env });
  services.push(service);
  await untilLeading(service.streams.main);
  return service;
}
const insert = (from: number, to = from): Promise<unknown> =>
  database.query("insert into orders select i, 'x' from generate_series($1::int, $2::int) i", [from, to]);
const succeeded = (count: number): Promise<unknown> =>
  untilRows(database, "select from observers.attempt where outcome = 'succeeded'", count);
const attempts = (): Promise<Record<string, unknown>[]> =>
  database.query('select outcome, error, status, message, response from observers.attempt order by change_number, attempt');
const dead = async (): Promise<Record<string, unknown>> =>
  (
    await untilRows(
      database,
      'select id, error, status, message, response, attempts from observers.dead_letter where resolved_at is null',
      1,
    )
  )[0]!;

test('deliveries, their look-ups and a message to a chat go with one token', async () => {
  const lookups = `lookups: { crm: { url: "${server.url}/crm/{{ entity.key }}", allow_addresses: [loopback], ${authTo()} } }`;
  const actions = `{ type: webhook, endpoint: shop, body: "{{ lookups.crm | json }}" }, { type: slack, endpoint: shop, text: hello }`;
  const answers = server.answer;
  server.answer = (request, response, raw) => {
    if (!request.path.startsWith('/crm/')) return answers(request, response, raw);
    server.messages.push(request);
    return void response.writeHead(request.headers['authorization'] === 'Bearer token-first' ? 200 : 401).end('{"plan":"gold"}');
  };
  await lead(fileOf(authTo(), actions, lookups).replace('entity: Order, retry', 'entity: Order, lookups: [crm], retry'));
  await insert(1, 10);
  await succeeded(20);
  expect(server.grants).toHaveLength(1);
  expect(new Set(server.messages.map(({ headers }) => headers['authorization']))).toEqual(new Set(['Bearer token-first']));
  expect(server.messages).toHaveLength(30);
});

test('a batch goes with the token, and an alert too', async () => {
  const alerts = `alerts: { url: "${server.url}/alerts", allow_addresses: [loopback], ${authTo()} }`;
  const file = fileOf(authTo(), '{ type: webhook, endpoint: shop, batch: { max: 50, within: 100ms } }', alerts);
  await lead(file.replace('entity: Order, retry', 'entity: Order, on_failure: alert, retry'));
  await insert(1, 50);
  await succeeded(50);
  expect(server.messages.every(({ headers }) => headers['authorization'] === 'Bearer token-first')).toBe(true);
  const answers = server.answer;
  server.answer = (request, response, raw) =>
    request.path === '/hook' ? void response.writeHead(422).end() : answers(request, response, raw);
  await insert(51);
  await dead();
  await until(() => server.messages.some(({ path }) => path === '/alerts'));
  expect(server.messages.at(-1)?.headers['authorization']).toBe('Bearer token-first');
  expect(server.grants).toHaveLength(1);
});

test('a receiver that repeats the token does not bring it to the record, and its 401 costs one attempt', async () => {
  await lead(fileOf(authTo()));
  await insert(1);
  await succeeded(1);
  server.taken = ['token-second'];
  await insert(2);
  await succeeded(2);
  expect((await attempts()).slice(1)).toEqual([
    { outcome: 'retry', error: 'token_refused', status: 401, message: containing('the receiver answered 401 to the access token; the next try goes with a new one'), response: 'you sent Bearer [access token]' },
    { outcome: 'succeeded', error: null, status: 200, message: null, response: null },
  ]); // prettier-ignore
  const answers = server.answer;
  server.answer = (request, response, raw) =>
    request.path === '/hook'
      ? void response.writeHead(422).end(Buffer.from(String(request.headers['authorization'])).toString('base64'))
      : answers(request, response, raw);
  await insert(3);
  expect(JSON.stringify(await dead())).not.toMatch(/dG9rZW4|token-/);
});

test('a receiver that takes no token at all gets one more, and then the delivery is a dead letter', async () => {
  server.taken = [];
  await lead(fileOf(authTo()));
  await insert(1);
  expect(await dead()).toMatchObject({ error: 'http_status', status: 401, attempts: 2, message: containing('fetched anew') });
  expect(server.grants).toHaveLength(2);
});

test.each(['basic', 'body'])(
  'a client that is refused is a dead letter that says what to correct, without the secret; redriven when it is mended (%s)',
  async (clientAuth) => {
    server.refuse = (request, response) =>
      void response
        .writeHead(400)
        .end(`{"error":"invalid_client","error_description":"${request.headers['authorization']} ${request.body}"}`);
    const service = await lead(fileOf(authTo(`, client_auth: ${clientAuth}`)));
    await insert(1);
    const letter = await dead();
    expect(letter).toMatchObject({
      error: 'configuration',
      status: null,
      attempts: 1,
      message: containing('refuses the client: 400 invalid_client'),
    });
    const secrets = [CLIENT.secret, encodeURIComponent(CLIENT.secret), Buffer.from(CLIENT.secret).toString('base64'), 'CANARY', 'geheim'];
    for (const secret of secrets) expect(JSON.stringify(letter)).not.toContain(secret);
    expect(server.messages).toEqual([]);
    server.refuse = null;
    expect(service.reloader.current.version).toBe(1);
    const program = programOn(database, fileOf(authTo()), ENV);
    // A server that has just refused is left alone for a second.
    await eventually(
      () => program.run(['dlq', 'retry', String(letter['id'])]),
      ({ code }) => code === 0,
    );
    program.remove();
    await succeeded(1);
  },
);

test('a token server that is down costs the receiver nothing: its endpoint is left alone, and all arrive when it is up again', async () => {
  server.refuse = status(500);
  const breaker = 'circuit_breaker: { minimum: 3, open_for: 200ms }';
  await lead(fileOf(`${authTo()}, ${breaker}`).replace('max_attempts: 5', 'max_attempts: 100'));
  await insert(1, 20);
  await untilRows(database, "select from observers.attempt where error = 'token'", (rows) => rows.length >= 3);
  expect(server.messages).toEqual([]);
  server.refuse = null;
  await succeeded(20);
  expect(await database.query('select from observers.dead_letter')).toEqual([]);
});

test('what the token server asks to wait for is an appointment, and uses up no attempt', async () => {
  server.refuse = status(503, { 'retry-after': '1' });
  await lead(fileOf(`${authTo()}, circuit_breaker: off`).replace('max_attempts: 5', 'max_attempts: 1'));
  await insert(1);
  await untilRows(database, "select from observers.attempt where error = 'token' and status = 503", 1);
  server.refuse = null;
  await succeeded(1);
});

test('a reload with another secret uses it, from then on', async () => {
  const service = await lead(fileOf(authTo()).replace('"${CLIENT_SECRET}"', 'mistaken'));
  await insert(1);
  expect(await dead()).toMatchObject({ error: 'configuration', message: containing('401 invalid_client') });
  service.rewrite(fileOf(authTo()));
  expect(await service.reloader.reload('test')).toMatchObject({ version: 2, effective: 'now' });
  await insert(2);
  await succeeded(1);
});

test('requests for AWS are signed as they are sent: one alone, a batch, and a body of the observer’s own', async () => {
  const aws =
    'auth: { type: aws_sigv4, region: eu-central-1, service: execute-api, access_key_id: AKIDEXAMPLE, secret_access_key: "${AWS_SECRET}", session_token: "${AWS_TOKEN}" }';
  const actions =
    '{ name: a, type: webhook, endpoint: shop }, { name: b, type: webhook, url: "{URL}/own?k={{ entity.key }}&ü=%20", allow_addresses: [loopback], body: { n: "größe {{ data.note }}" }, {AWS} }';
  const file = fileOf(aws, actions.replace('{URL}', server.url).replace('{AWS}', aws));
  server.answer = status(200);
  await lead(file, { AWS_SECRET: 'wJalrXUtnFEMI/K7MDENG', AWS_TOKEN: 'lent-token' });
  await insert(1, 3);
  await succeeded(6);
  expect(server.requests).toHaveLength(6);
  for (const request of server.requests) {
    const { signature, scope } = authorizationOf(request.headers['authorization'] ?? '');
    expect(scope).toBe(`${new Date().toISOString().slice(0, 10).replaceAll('-', '')}/eu-central-1/execute-api/aws4_request`);
    expect(signature).toBe(expectedAwsSignature(request, { secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' }));
    expect(request.headers).toMatchObject({ 'x-amz-security-token': 'lent-token', 'webhook-id': expect.any(String) as string });
  }
});

test('each try for AWS has a time of its own', async () => {
  let receiver: Receiver | null = null;
  try {
    receiver = await startReceiver(failing(1));
    const aws =
      'auth: { type: aws_sigv4, region: eu-central-1, service: es, access_key_id: AKIDEXAMPLE, secret_access_key: wJalrXUtnFEMI }';
    await lead(
      fileOf(aws).replace(`${server.url}/hook`, `${receiver.url}/hook`).replace('20ms', '1050ms').replace('max_delay: 1s', 'max_delay: 2s'),
    );
    await insert(1);
    const [first, second] = await receiver.waitFor(2);
    expect(first?.headers['x-amz-date']).not.toBe(second?.headers['x-amz-date']);
    for (const request of [first!, second!])
      expect(authorizationOf(request.headers['authorization'] ?? '').signature).toBe(
        expectedAwsSignature(request, { secretAccessKey: 'wJalrXUtnFEMI' }),
      );
  } finally {
    await receiver?.close();
  }
});

describe('what is shown before it is sent', () => {
  const { renderAndRun } = givenRenderings();
  const TOKEN_URL = (): string => `${server.url}/token?tenant=CANARY`;

  it('fetches no token, and says where it would come from; what arrives has it', async () => {
    const auth = { type: 'oauth2', tokenUrl: TOKEN_URL(), clientId: CLIENT.id, clientSecret: CLIENT.secret, scope: null, audience: null, clientAuth: 'basic', tls: null } as const; // prettier-ignore
    const endpoint = endpointOf(`${server.url}/hook`, { auth });
    const rendering = await renderAndRun({ type: 'webhook', name: 'hook', endpoint, method: 'POST', headers: {}, body: null, batch: null });
    expect(http(rendering).headers).toContainEqual(['authorization', `Bearer (a token of ${server.url}/token, fetched when sent)`]);
    expect(JSON.stringify(rendering)).not.toMatch(/CANARY|token-first/);
    expectArrived(rendering, server.messages[0], server.url);
    // The one of the try itself.
    expect(server.grants).toHaveLength(1);
  });

  it('of AWS it says what for, and no secret', async () => {
    const auth = { type: 'aws_sigv4', region: 'eu-central-1', service: 'es', accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'CANARY', sessionToken: null } as const; // prettier-ignore
    const endpoint = endpointOf(`${server.url}/hook`, { auth });
    const action = {
      type: 'webhook',
      name: 'hook',
      endpoint,
      method: 'POST',
      headers: {},
      body: null,
      batch: { max: 5, within: 1 },
    } as const;
    server.answer = status(200);
    const rendering = await renderAndRun(action);
    expect(http(rendering).headers).toContainEqual(['authorization', 'AWS4-HMAC-SHA256 (signed when sent, for es in eu-central-1)']);
    expect(JSON.stringify(rendering)).not.toContain('CANARY');
    expectArrived(rendering, server.requests[0], server.url);
  });
});
