import { HttpSender } from '../../../src/connections/http/http-sender';
import { AwsAuthorization } from '../../../src/connections/http/aws-authorization';
import type { AwsAuth } from '../../../src/event/definitions';
import { SystemClock } from '../../../src/event/clock';
import { authorizationOf, expectedAwsSignature } from '../../support/aws-verifier';
import { vectors } from '../../support/aws-vectors.json';
import { startReceiver, status, type Received, type Receiver } from '../../support/receiver';
import { endpointOf } from '../../support/stream';

const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const AUTH: AwsAuth = {
  type: 'aws_sigv4',
  region: 'us-east-1',
  service: 'service',
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: SECRET_KEY,
  sessionToken: null,
};

class FixedClock extends SystemClock {
  constructor(private readonly at: string) {
    super();
  }
  override now(): number {
    return Date.parse(this.at);
  }
}
const THEN = new FixedClock('2015-08-30T12:36:00Z');

/** A request as a vector has it: a line, headers of which some are repeated or go on in the next line, a body. */
function parse(text: string): Pick<Received, 'method' | 'path' | 'headers' | 'bytes'> {
  const [head = '', body = ''] = text.split(/\n\n([\s\S]*)/);
  const [line = '', ...rest] = head.replace(/\n\s+/g, ' ').split('\n');
  const headers: Record<string, string> = {};
  for (const one of rest) {
    const [, name = '', value = ''] = /^([^:]+):(.*)$/.exec(one) ?? [];
    const before = headers[name.toLowerCase()];
    headers[name.toLowerCase()] = before === undefined ? value.trim() : `${before},${value.trim()}`;
  }
  const [, method = '', path = ''] = /^(\S+) (.*) HTTP\/1\.1$/.exec(line) ?? [];
  return { method, path, headers, bytes: Buffer.from(body) };
}

test.each(vectors.map((vector) => [vector.name, vector] as const))('the verifier of these tests agrees with AWS on %s', (_name, vector) => {
  const request = parse(vector.request);
  expect(expectedAwsSignature(request, { secretAccessKey: SECRET_KEY, verbatim: !vector.normalize })).toBe(vector.signature);
  expect(authorizationOf(request.headers['authorization'] ?? '').signature).toBe(vector.signature);
});

test.each(vectors.filter(({ signBody }) => signBody).map((vector) => [vector.name, vector] as const))(
  'a request is signed as AWS signs it: %s',
  async (_name, vector) => {
    const { method, path, headers, bytes } = parse(vector.request);
    const given = ['content-type', 'content-length'].flatMap((name) => [name, headers[name] ?? '']);
    const { request } = await new AwsAuthorization(AUTH, 'https://example.amazonaws.com', THEN).authorize({
      method: method,
      path,
      headers: given,
      body: bytes,
    });
    const sent = Object.fromEntries(request.headers.flatMap((name, i) => (i % 2 === 0 ? [[name, request.headers[i + 1]]] : [])));
    expect(sent).toMatchObject({ authorization: headers['authorization'], 'x-amz-date': '20150830T123600Z' });
    expect(sent).not.toHaveProperty('host');
  },
);

describe('as it arrives', () => {
  let receiver: Receiver;
  let sender: HttpSender | null = null;
  beforeEach(async () => {
    receiver = await startReceiver();
  });
  afterEach(async () => {
    await sender?.close();
    await receiver.close();
  });

  const send = async (path: string, body: Buffer | null, auth: Partial<AwsAuth> = {}, headers: string[] = []): Promise<Received> => {
    sender = new HttpSender(endpointOf(`${receiver.url}/`, { auth: { ...AUTH, ...auth } }), THEN);
    expect(await sender.send({ path, method: body === null ? 'GET' : 'POST', headers, body })).toMatchObject({ ok: true });
    return receiver.requests[0] as Received;
  };

  test.each([
    ['a plain path', '/orders', {}],
    ['a query in no order, with names twice and without values', '/orders?b=2&a=3&a=1&flag&%C3%BC=%20x%2By', {}],
    ['letters that are percent-encoded', '/gr%C3%B6%C3%9Fe/%E6%97%A5?x=%2F%3F', {}],
    ['signs that some encode and some do not', "/a:b(c)!*'~/d;e@f,g=h", {}],
    ['an encoded slash', '/a%2Fb/', {}],
    ['empty parts', '//a///b/', {}],
    ['S3, whose path is signed once', "/bucket/a:b(c)!*'~/gr%C3%B6%C3%9Fe%20x//y", { service: 's3' }],
    ['a session token', '/', { sessionToken: 'lent+token/=' }],
    ['another region and service', '/', { region: 'cn-north-1', service: 'execute-api' }],
  ] as const)('%s verifies', async (_what, path, auth) => {
    for (const body of [null, Buffer.from('{"größe":"日本"}')]) {
      receiver.requests.length = 0;
      const more = [
        'content-type',
        'application/json',
        'x-blanks',
        '  a   b ',
        'webhook-id',
        'evt_1',
        'traceparent',
        '00-1',
        'user-agent',
        'x',
      ];
      const request = await send(path, body, auth, body === null ? [] : more);
      await sender?.close();
      const { accessKeyId, scope, signedHeaders, signature } = authorizationOf(request.headers['authorization'] ?? '');
      const { region, service } = { ...AUTH, ...auth };
      expect([accessKeyId, scope]).toEqual(['AKIDEXAMPLE', `20150830/${region}/${service}/aws4_request`]);
      expect(signature).toBe(expectedAwsSignature(request, { secretAccessKey: SECRET_KEY, once: service === 's3' }));
      expect(signedHeaders).toEqual(expect.arrayContaining(['host', 'x-amz-content-sha256', 'x-amz-date']));
      expect(signedHeaders).not.toContain('traceparent');
      if ('sessionToken' in auth) expect(signedHeaders).toContain('x-amz-security-token');
      expect(request.headers['host']).toBe(`127.0.0.1:${receiver.port}`);
    }
  });

  test('what is changed on the way does not verify, nor does another secret', async () => {
    const request = await send('/orders?a=1', Buffer.from('{"total":1}'));
    const { signature } = authorizationOf(request.headers['authorization'] ?? '');
    const verify = (changed: Partial<Received>, secretAccessKey = SECRET_KEY): boolean =>
      expectedAwsSignature({ ...request, ...changed }, { secretAccessKey }) === signature;
    expect(verify({})).toBe(true);
    expect(verify({ bytes: Buffer.from('{"total":9}') })).toBe(false);
    expect(verify({ path: '/orders?a=2' })).toBe(false);
    expect(verify({ headers: { ...request.headers, 'x-amz-date': '20150830T123601Z' } })).toBe(false);
    expect(verify({}, `${SECRET_KEY}x`)).toBe(false);
  });

  test('what AWS repeats of a request that it refuses is kept without signature and session token', async () => {
    receiver.answer = (request, response) =>
      void response.writeHead(403).end(`${request.headers['authorization']} and ${request.headers['x-amz-security-token']}`);
    sender = new HttpSender(endpointOf(`${receiver.url}/`, { auth: { ...AUTH, sessionToken: 'lent-for-a-while' } }), THEN);
    const outcome = await sender.send({ path: '/', method: 'POST', headers: [], body: null });
    expect(outcome).toMatchObject({ error: 'http_status', status: 403, excerpt: '[secret] and [secret]' });
  });

  test('a redirect is not followed, signed or not', async () => {
    receiver.answer = status(307, { location: '/elsewhere' });
    sender = new HttpSender(endpointOf(`${receiver.url}/`, { auth: AUTH }), THEN);
    expect(await sender.send({ path: '/', method: 'POST', headers: [], body: null })).toMatchObject({ error: 'redirect' });
    expect(receiver.requests).toHaveLength(1);
  });
});
