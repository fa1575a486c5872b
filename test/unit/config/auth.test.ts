import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeObservers } from '../../../src/config/describe';
import { SECRETS } from '../../../src/event/secrets';
import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

const OAUTH2 = 'type: oauth2, token_url: "https://auth.example/token", client_id: me, client_secret: "s3cret-word"';
const AWS = 'type: aws_sigv4, region: eu-central-1, service: execute-api, access_key_id: AKIDEXAMPLE, secret_access_key: "s3cret-word"';

/** One endpoint, its `auth` in the last line. */
const endpointWith = (auth: string, more = 'url: "https://x.example/"'): string =>
  `version: 1\nendpoints:\n  e:\n    ${more}\n    auth: { ${auth} }\n`;
const definitionOf = (text: string) => file.load(text).file.definition.endpoints[0];

test('OAuth2 as it is read, with what is left out', () => {
  expect(definitionOf(endpointWith(OAUTH2))?.auth).toEqual({
    type: 'oauth2',
    tokenUrl: 'https://auth.example/token',
    clientId: 'me',
    clientSecret: 's3cret-word',
    scope: null,
    audience: null,
    clientAuth: 'basic',
    tls: null,
  });
  const more = `${OAUTH2}, scope: "a b", audience: "https://x.example", client_auth: body`;
  expect(definitionOf(endpointWith(more))?.auth).toMatchObject({ scope: 'a b', audience: 'https://x.example', clientAuth: 'body' });
});

test('AWS as it is read', () => {
  expect(definitionOf(endpointWith(`${AWS}, session_token: lent`))?.auth).toEqual({
    type: 'aws_sigv4',
    region: 'eu-central-1',
    service: 'execute-api',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 's3cret-word',
    sessionToken: 'lent',
  });
});

test.each([
  ['no type', 'client_id: me', '5:11 endpoints.e.auth.type: expected a type: oauth2 or aws_sigv4'],
  ['a type that there is not', 'type: oauth', '5:19 endpoints.e.auth.type: there is no auth type "oauth"; did you mean "oauth2"?'],
  ['no secret', 'type: oauth2, token_url: "https://a.example", client_id: me', 'endpoints.e.auth.client_secret: is missing'],
  ['a key that there is not', `${OAUTH2}, scopes: x`, 'unknown key "scopes"; did you mean "scope"?'],
  ['keys of the other type', `${AWS}, scope: x`, 'unknown key "scope"'],
  ['plain http', OAUTH2.replace('https', 'http'), '5:38 endpoints.e.auth.token_url: the client secret would go in clear'],
  ['plain http to a private address', OAUTH2.replace('https://auth.example', 'http://10.0.0.1'), 'would go in clear'],
  [
    'credentials in the URL',
    OAUTH2.replace('//', '//a:b@'),
    'credentials do not belong in a URL, which is logged; give client_id and client_secret',
  ],
  ['a URL that is none', OAUTH2.replace('https:', 'ftp:'), 'expected a URL that begins with http:// or https://'],
  ['a fragment', OAUTH2.replace('/token', '/token#x'), 'a token_url has no #'],
  ['a template in the URL', OAUTH2.replace('/token', '/{{ data.x }}'), 'endpoints.e.auth.token_url: auth may not hold a template'],
  ['a template in the client', OAUTH2.replace('me', '"{{ data.x }}"'), 'endpoints.e.auth.client_id: auth may not hold a template'],
  [
    'a secret with a line break',
    OAUTH2.replace('word', 'word\\n'),
    'endpoints.e.auth.client_secret: it begins or ends with a blank or a line break',
  ],
  [
    'a secret with a control character',
    AWS.replace('word', 'wo\\x07rd'),
    'endpoints.e.auth.secret_access_key: a value of auth may not hold a line break',
  ],
  ['an empty value', `${OAUTH2}, audience: ""`, 'endpoints.e.auth.audience: expected a text that is not empty'],
  ['another place for the client', `${OAUTH2}, client_auth: header`, 'expected one of basic, body, not "header"'],
  ['a region that is none', AWS.replace('eu-central-1', '"eu central"'), 'endpoints.e.auth.region: expected a word such as eu-central-1'],
  ['a service that is none', AWS.replace('execute-api', '"a/b"'), 'endpoints.e.auth.service: expected a word such as execute-api'],
  ['an access key id that is none', AWS.replace('AKIDEXAMPLE', '"AKID/x"'), 'endpoints.e.auth.access_key_id: an access key id holds no'],
  ['a file that is not there', `${OAUTH2}, tls: { ca_file: none.pem }`, 'endpoints.e.auth.tls.ca_file: the file cannot be read'],
])('refused with its place: %s', (_what, auth, message) => {
  const told = file.told(endpointWith(auth));
  expect(told).toEqual([expect.stringContaining(message)]);
  expect(told.join()).not.toContain('s3cret');
});

test.each([
  [
    'a header of the endpoint',
    endpointWith(OAUTH2, 'url: "https://x.example/"\n    headers: { Authorization: x }'),
    '5:31 endpoints.e.headers.Authorization',
  ],
  [
    'a header of AWS',
    endpointWith(AWS, 'url: "https://x.example/"\n    headers: { X-Amz-Date: x }'),
    '5:28 endpoints.e.headers.X-Amz-Date',
  ],
  [
    'a header of an action',
    `${endpointWith(OAUTH2)}observers: [{ name: o, entity: x, actions: [{ type: webhook, endpoint: e, headers: { AUTHORIZATION: x } }] }]`,
    'observers[0].actions[0].headers.AUTHORIZATION',
  ],
  [
    'a header of a look-up',
    `version: 1\nlookups: { l: { url: "https://x.example/", headers: { authorization: x }, auth: { ${OAUTH2} } } }`,
    'lookups.l.headers.authorization',
  ],
])('what auth sets is set nowhere else: %s', (_what, text, place) => {
  expect(file.told(text)).toEqual([expect.stringContaining(place)]);
  expect(file.told(text)[0]).toContain('sets the header');
});

test('Slack reads no signature, so an endpoint that signs is none for it', () => {
  const endpoint =
    'version: 1\nendpoints: { e: { url: "https://x.example/", signing: { secrets: [whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0] } } }\n';
  const use = (action: string): string[] =>
    file.told(`${endpoint}observers: [{ name: o, entity: x, actions: [{ ${action}, endpoint: e }] }]`);
  expect(use('type: webhook')).toEqual([]);
  expect(use('type: slack, text: a')).toEqual([expect.stringContaining('actions[0].endpoint: Slack reads no signature')]);
});

test('an action that names an endpoint has that one’s auth, and none of its own', () => {
  const action = `{ type: webhook, endpoint: e, auth: { ${OAUTH2} } }`;
  expect(file.told(`${endpointWith(OAUTH2)}observers: [{ name: o, entity: x, actions: [${action}] }]`)).toEqual([
    expect.stringContaining('observers[0].actions[0].auth: auth belongs to the endpoint "e"'),
  ]);
});

test.each(['webhook, url: "https://x.example/"', 'slack, text: a, url: "https://x.example/"'])('an action takes auth: %s', (action) => {
  const { file: loaded } = file.load(`version: 1\nobservers: [{ name: o, entity: x, actions: [{ type: ${action}, auth: { ${AWS} } }] }]`);
  expect(loaded.definition.observers[0]?.actions[0]).toMatchObject({ endpoint: { auth: { type: 'aws_sigv4' } } });
});

test.each([
  'email, to: a@b.example, subject: a, text: b, from: a@b.example',
  'sms, to: "+15551234567", text: a',
  'log',
  'publish, nats: a',
  'cache, delete: a',
  'search, index: a',
  'database, function: a.b',
])('an action that has no use for auth refuses it: %s', (action) => {
  const told = file.told(`version: 1\nobservers: [{ name: o, entity: x, actions: [{ type: ${action}, auth: { ${OAUTH2} } }] }]`);
  expect(told.filter((one) => one.includes('unknown key "auth"'))).toHaveLength(1);
});

test('with AWS a + in the query is refused, which AWS and a form read otherwise; one in the path or in a tag is not', () => {
  const told = (url: string): string[] => file.told(endpointWith(AWS, `url: "${url}"`));
  expect(told('https://x.example/?q=a+b')).toEqual([expect.stringContaining('5:11 endpoints.e.auth: with aws_sigv4 a + in the query')]);
  expect([told('https://x.example/a+b?q=%20'), told("https://x.example/?q={{ data.a | append: '+' }}")]).toEqual([[], []]);
});

test.each(['127.0.0.1', 'localhost', '[::1]', 'auth.localhost'])('a token server on this machine may speak plain http: %s', (host) => {
  expect(file.told(endpointWith(OAUTH2.replace('https://auth.example', `http://${host}:8080`)))).toEqual([]);
});

test('what is likely wrong is a warning: an address that is not dialled, and a token that goes in clear', () => {
  const warnings = (text: string): string[] => file.load(text).file.warnings.map(({ path, message }) => `${path}: ${message}`);
  expect(warnings(endpointWith(OAUTH2.replace('auth.example', '10.0.0.1')))).toEqual([
    expect.stringMatching(/^endpoints\.e\.auth\.token_url: every delivery will be refused: .*10\.0\.0\.1/),
  ]);
  expect(warnings(endpointWith(OAUTH2, 'url: "http://x.example/"'))).toEqual([
    expect.stringMatching(/^endpoints\.e\.auth: the access token goes in clear/),
  ]);
  expect(warnings(endpointWith(OAUTH2))).toEqual([]);
  expect(
    warnings(endpointWith(OAUTH2.replace('auth.example', '10.0.0.1'), 'url: "https://x.example/"\n    allow_addresses: [10.0.0.0/8]')),
  ).toEqual([]);
});

test('secrets of auth are secret wherever they are repeated, and so are the private keys of signatures', () => {
  const key = Buffer.alloc(32, 9).toString('base64');
  file.load(
    endpointWith(OAUTH2.replace('s3cret-word', 'CANARY-client'), `url: "https://x.example/"\n    signing: { secrets: ["whsk_${key}"] }`),
  );
  file.load(endpointWith(`${AWS.replace('s3cret-word', 'CANARY-access')}, session_token: CANARY-session`));
  const hidden = SECRETS.hide(`CANARY-client CANARY-access ${Buffer.from('CANARY-session').toString('base64')} whsk_${key} ${key}`);
  expect(hidden).not.toMatch(/CANARY|CQkJ|Q0FOQVJZ/);
});

test('what an observer does says by which auth, and holds no secret', () => {
  const actions = `[{ type: webhook, endpoint: e }, { name: b, type: webhook, url: "https://y.example/", auth: { ${AWS} } }]`;
  const { definition } = file.load(`${endpointWith(OAUTH2)}observers: [{ name: o, entity: x, actions: ${actions} }]`).file;
  expect(describeObservers(definition)[0]?.actions).toEqual([
    'webhook: POST x.example (unsigned, with a token of auth.example, timeout 10s, 32 at once)',
    'b: POST y.example (unsigned, with AWS SigV4, timeout 10s, 32 at once)',
  ]);
});

test('the examples of auth in the documentation are valid', () => {
  const page = readFileSync(join(__dirname, '../../../docs/actions/webhook.md'), 'utf8');
  const examples = [...page.matchAll(/```yaml\n(auth:\n[\s\S]*?)```/g)].map(([, text = '']) => text);
  const names = ['CLIENT_ID', 'CLIENT_SECRET', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
  const env = Object.fromEntries(names.map((name) => [name, 'CANARY-value']));
  const types = examples.map((example) => {
    const text = `version: 1\nendpoints:\n  e:\n    url: https://x.example/\n${example.replace(/^/gm, '    ')}`;
    return file.load(text, env).file.definition.endpoints[0]?.auth?.type;
  });
  expect(types).toEqual(['oauth2', 'aws_sigv4']);
});
