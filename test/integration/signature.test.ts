import { createHmac, createPublicKey, generateKeyPairSync, verify as cryptoVerify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { Webhook } from 'standardwebhooks';
import { secretProblem } from '../../src/config/checks';
import type { EndpointDefinition, ObserverDefinition, WebhookActionDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { failing, type Received } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, SECRET } from '../support/stream';

const given = givenOrders('create table public.orders (id bigint primary key, note text)');

const secretOf = (bytes: number, fill: number): string => `whsec_${Buffer.alloc(bytes, fill).toString('base64')}`;
const SECOND = secretOf(32, 7);

const start = async (secrets: string[], observer: Partial<ObserverDefinition> = {}, endpoint: Partial<EndpointDefinition> = {}) => {
  const to = endpointOf(`${given.receiver.url}/hook`, { signingSecrets: secrets, ...endpoint });
  await given.start([observerOf('all', to, observer)]);
};

/** The request for one row that holds this text. */
async function deliver(note: string): Promise<Received> {
  await given.database.query('insert into orders values (1, $1)', [note]);
  const [request] = await given.receiver.waitFor(1);
  return request as Received;
}

/** By hand, from the specification and the bytes on the wire: HMAC-SHA256 over `id.timestamp.body`, keyed with the decoded secret. */
function expectedSignature(secret: string, { headers, bytes }: Received): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`, 'latin1'), bytes]);
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}

function verify(secret: string, request: Received, headers = request.headers): unknown {
  return new Webhook(secret).verify(request.bytes, headers);
}

test.each([
  ['ASCII', 'plain'],
  ['letters outside ASCII', 'Grüße, 你好, Ω≈ç√, שלום'],
  ['characters of four bytes, and joined ones', '🦄👩‍👩‍👧‍👦 𝄞 e\u0301'],
  ['everything that JSON escapes', '"\\/\b\f\n\r\t\u0001\u007f\u2028\u2029'],
  ['1 MB of ASCII', 'x'.repeat(1 << 20)],
  ['1 MB of letters of three bytes', '語'.repeat(350_000)],
])('a body with %s verifies, by the reference package and by hand, and is as long as it says', async (_what, note) => {
  await start([SECRET]);
  const request = await deliver(note);
  expect(verify(SECRET, request)).toMatchObject({ data: { note } });
  expect(request.headers['webhook-signature']).toBe(expectedSignature(SECRET, request));
  expect(Number(request.headers['content-length'])).toBe(request.bytes.length);
});

test('during a rotation each secret signs, and a receiver that knows only one of them verifies', async () => {
  await start([SECRET, SECOND]);
  const request = await deliver('rotating');
  const signatures = (request.headers['webhook-signature'] ?? '').split(' ');
  expect(signatures).toEqual([expectedSignature(SECRET, request), expectedSignature(SECOND, request)]);
  for (const secret of [SECRET, SECOND]) expect(verify(secret, request)).toMatchObject({ type: 'order.created' });
  for (const [i, secret] of [SECRET, SECOND].entries()) {
    const alone = { ...request.headers, 'webhook-signature': signatures[i] ?? '' };
    expect(verify(secret, request, alone)).toMatchObject({ type: 'order.created' });
    const other = { ...request.headers, 'webhook-signature': signatures[1 - i] ?? '' };
    expect(() => verify(secret, request, other)).toThrow('No matching signature found');
  }
  expect(() => verify(secretOf(32, 9), request)).toThrow('No matching signature found');
});

test('what is changed on the way does not verify: a byte of the body, the id, the time', async () => {
  await start([SECRET]);
  const request = await deliver('original');
  const body = Buffer.from(request.bytes);
  body[body.length - 2] = 0x32;
  expect(() => verify(SECRET, { ...request, bytes: body })).toThrow('No matching signature found');
  expect(() => verify(SECRET, request, { ...request.headers, 'webhook-id': 'other' })).toThrow('No matching signature found');
  const later = { ...request.headers, 'webhook-timestamp': String(Number(request.headers['webhook-timestamp']) + 1) };
  expect(() => verify(SECRET, request, later)).toThrow('No matching signature found');
});

test('each try has a time and a signature of its own, and the same id and body', async () => {
  // More than a second apart, or two tries may fall into the same one.
  await start([SECRET], { retry: { ...FAST_RETRY, initialDelay: 1_050, maxDelay: 1_050, maxAttempts: 3 } });
  given.receiver.answer = failing(2, 500);
  await given.database.query("insert into orders values (1, 'again')");
  const tries = await given.receiver.waitFor(3);
  for (const request of tries) {
    expect(verify(SECRET, request)).toMatchObject({ data: { note: 'again' } });
    expect(request.headers['webhook-signature']).toBe(expectedSignature(SECRET, request));
    expect(Math.abs(Number(request.headers['webhook-timestamp']) - Date.now() / 1_000)).toBeLessThan(10);
  }
  const different = (of: (request: Received) => unknown): number => new Set(tries.map(of)).size;
  expect(different(({ headers }) => headers['webhook-timestamp'])).toBe(3);
  expect(different(({ headers }) => headers['webhook-signature'])).toBe(3);
  expect([different(({ headers }) => headers['webhook-id']), different(({ body }) => body)]).toEqual([1, 1]);
});

test.each(['PUT', 'PATCH', 'DELETE', 'GET'] as const)('a %s is signed over the body that it carries, be it empty', async (method) => {
  const endpoint = endpointOf(`${given.receiver.url}/hook`);
  const action: WebhookActionDefinition = { type: 'webhook', name: 'hook', endpoint, method, headers: {}, body: null, batch: null };
  await start([SECRET], { actions: [action] });
  const request = await deliver('x');
  expect([request.method, request.bytes.length > 0]).toEqual([method, method !== 'GET']);
  expect(request.headers['webhook-signature']).toBe(expectedSignature(SECRET, request));
});

test('a body of the observer’s own is signed as it is sent', async () => {
  const endpoint = endpointOf(`${given.receiver.url}/hook`);
  const body = { text: 'für {{ data.note }} 🦄' };
  const action: WebhookActionDefinition = { type: 'webhook', name: 'hook', endpoint, method: 'POST', headers: {}, body, batch: null };
  await start([SECRET], { actions: [action] });
  const request = await deliver('Zoë "Ω"');
  expect(verify(SECRET, request)).toEqual({ text: 'für Zoë "Ω" 🦄' });
  expect(request.headers['webhook-signature']).toBe(expectedSignature(SECRET, request));
});

test('without secrets there is no signature, and id and time are there all the same', async () => {
  await start([]);
  const { headers } = await deliver('x');
  expect(headers).not.toHaveProperty('webhook-signature');
  expect(headers).toMatchObject({ 'webhook-id': expect.any(String) as string, 'webhook-timestamp': expect.any(String) as string });
});

test.each([
  ['of 24 bytes', secretOf(24, 1)],
  ['of 25 bytes, padded', secretOf(25, 2)],
  ['of 25 bytes, without its padding', secretOf(25, 2).replace(/=+$/, '')],
  ['of 64 bytes', secretOf(64, 3)],
  ['with + and / in it', `whsec_${Buffer.alloc(33, Buffer.from([0xfb, 0xff, 0xbf])).toString('base64')}`],
])('a secret %s, as the configuration accepts it, is understood by receivers', async (_what, secret) => {
  expect(secretProblem(secret)).toBeNull();
  await start([secret]);
  const request = await deliver('x');
  expect(verify(secret, request)).toMatchObject({ data: { note: 'x' } });
  expect(request.headers['webhook-signature']).toBe(expectedSignature(secret, request));
});

test.each([
  ['without whsec_', SECRET.slice('whsec_'.length)],
  ['in the alphabet of URLs', `whsec_${Buffer.alloc(33, 0xfb).toString('base64url')}`],
  ['of 23 bytes', secretOf(23, 1)],
  ['of 65 bytes', secretOf(65, 1)],
  ['with a space', `${SECRET} `],
  ['that is empty', 'whsec_'],
])('a secret %s is refused by the configuration', (_what, secret) => {
  expect(secretProblem(secret)).not.toBeNull();
});

describe('ed25519', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  const own = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const PRIVATE = `whsk_${seed.toString('base64')}`;
  const PAIR = `whsk_${Buffer.concat([seed, own]).toString('base64')}`;
  const PUBLIC = `whpk_${own.toString('base64')}`;

  /** A receiver by the specification: any `v1a` signature that its public key verifies will do. */
  function verifies(key: string, { headers, bytes }: Pick<Received, 'headers' | 'bytes'>): boolean {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.slice('whpk_'.length), 'base64').toString('base64url') };
    const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), bytes]);
    return (headers['webhook-signature'] ?? '').split(' ').some((one) => {
      const [version, signature = ''] = one.split(',');
      return (
        version === 'v1a' && cryptoVerify(null, signed, createPublicKey({ key: jwk, format: 'jwk' }), Buffer.from(signature, 'base64'))
      );
    });
  }

  test.each([
    ['of 32 bytes', PRIVATE],
    ['of 64 bytes, with its public key', PAIR],
    ['without its padding', PRIVATE.replace(/=+$/, '')],
  ])('a whsk_ %s gives a v1a signature that its public key verifies', async (_what, secret) => {
    expect(secretProblem(secret)).toBeNull();
    await start([secret]);
    const request = await deliver('Grüße, 你好');
    expect(request.headers['webhook-signature']).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
    expect(verifies(PUBLIC, request)).toBe(true);
    const body = Buffer.from(request.bytes);
    body[body.length - 2] = 0x32;
    expect(verifies(PUBLIC, { ...request, bytes: body })).toBe(false);
    expect(verifies(PUBLIC, { ...request, headers: { ...request.headers, 'webhook-timestamp': '1' } })).toBe(false);
  });

  test('beside a whsec_ both sign, and each receiver verifies what it knows', async () => {
    await start([PRIVATE, SECRET]);
    const request = await deliver('rotating');
    expect((request.headers['webhook-signature'] ?? '').split(' ').map((one) => one.split(',')[0])).toEqual(['v1a', 'v1']);
    expect(verifies(PUBLIC, request)).toBe(true);
    expect(verify(SECRET, request)).toMatchObject({ data: { note: 'rotating' } });
  });

  test('the specification’s own example of a key pair that is shown nowhere else: RFC 8032, test 2', async () => {
    const rfc = Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex');
    const key = Buffer.from('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', 'hex');
    await start([`whsk_${Buffer.concat([rfc, key]).toString('base64')}`]);
    expect(verifies(`whpk_${key.toString('base64')}`, await deliver('x'))).toBe(true);
  });

  test.each([
    ['the public key', PUBLIC, 'whpk_ is the public key'],
    ['a key of 31 bytes', `whsk_${seed.subarray(1).toString('base64')}`, '32 bytes, or 64'],
    ['a key of 33 bytes', `whsk_${Buffer.concat([seed, Buffer.from('x')]).toString('base64')}`, '32 bytes, or 64'],
    ['a pair whose halves belong to others', `whsk_${Buffer.concat([seed, seed]).toString('base64')}`, 'no ed25519 key pair'],
    ['a key in the alphabet of URLs', `whsk_${Buffer.alloc(32, 0xfb).toString('base64url')}`, '32 bytes, or 64'],
    ['a key in PEM', `whsk_${privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()}`, '32 bytes, or 64'],
    ['nothing', 'whsk_', '32 bytes, or 64'],
  ])('%s in place of a private key is refused by the configuration, without a word of it', (_what, secret, message) => {
    const problem = secretProblem(secret) ?? '';
    expect(problem).toContain(message);
    expect(problem).not.toContain(secret.slice(8, 20) || '\n');
  });

  test('the receiver that the documentation shows takes what is genuine, and nothing else', async () => {
    const page = readFileSync(join(__dirname, '../../docs/actions/webhook.md'), 'utf8');
    const [, code = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
    const isGenuine = runInNewContext(`${code}; isGenuine`, { require, Buffer, Date }) as (
      headers: object,
      body: Buffer,
      key: string,
    ) => boolean;
    await start([PRIVATE, SECRET]);
    const { headers, bytes } = await deliver('Grüße');
    expect(isGenuine(headers, bytes, PUBLIC)).toBe(true);
    expect(isGenuine(headers, Buffer.concat([bytes, Buffer.from(' ')]), PUBLIC)).toBe(false);
    expect(isGenuine({ ...headers, 'webhook-signature': 'v1,x v1a,' }, bytes, PUBLIC)).toBe(false);
    expect(isGenuine({ ...headers, 'webhook-timestamp': '1' }, bytes, PUBLIC)).toBe(false);
    const other = `whpk_${Buffer.from(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')}`;
    expect(isGenuine(headers, bytes, other)).toBe(false);
  });
});
