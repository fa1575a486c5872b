import { generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startReceiver, type Answer, type Received, type Receiver } from './receiver';

const EMAIL = 'push@shop-1.iam.gserviceaccount.com';

interface Message {
  readonly message: Readonly<Record<string, unknown>>;
}

export interface FcmServer extends Receiver {
  /** Path of a service account's key file that names this server. */
  readonly credentials: string;
  /** Grants and messages that came, apart. */
  readonly grants: Received[];
  readonly messages: Received[];
  readonly check: Answer;
  /** Tokens that are granted from now on. */
  token: string;
}

/** The two servers of FCM v1 in one: tokens as RFC 7523 says, messages and error bodies as firebase.google.com documents them. */
export async function startFcmServer(): Promise<FcmServer> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-fcm-'));
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const receiver = await startReceiver();
  const server: FcmServer = Object.assign(receiver, {
    credentials: join(folder, 'key.json'),
    grants: [],
    messages: [],
    token: 'ya29.first',
    check,
  });
  writeFileSync(
    server.credentials,
    JSON.stringify({
      type: 'service_account',
      project_id: 'shop-1',
      client_email: EMAIL,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: `${receiver.url}/token`,
    }),
  );
  receiver.answer = check;
  const close = receiver.close.bind(receiver);
  server.close = async () => {
    rmSync(folder, { recursive: true });
    await close();
  };
  return server;

  function check(request: Received, response: Parameters<Answer>[1]): void {
    if (request.path === '/token') return grant(request, response);
    server.messages.push(request);
    const refuse = (status: number, word: string, code: string, headers = {}): void => {
      const details = [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode: code }];
      response
        .writeHead(status, headers)
        .end(JSON.stringify({ error: { code: status, message: `about ${request.body}`.slice(0, 60), status: word, details } }));
    };
    if (request.headers['authorization'] !== `Bearer ${server.token}`)
      return void response
        .writeHead(401)
        .end('{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}');
    if (request.path !== '/v1/projects/shop-1/messages:send') return refuse(404, 'NOT_FOUND', 'UNSPECIFIED_ERROR');
    const { message } = JSON.parse(request.body) as Message;
    const { token } = message;
    if (['token', 'topic', 'condition'].filter((key) => key in message).length !== 1)
      return refuse(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT');
    if (token === 'stale') return refuse(404, 'NOT_FOUND', 'UNREGISTERED');
    if (token === 'foreign') return refuse(403, 'PERMISSION_DENIED', 'SENDER_ID_MISMATCH');
    if (token === 'apple') return refuse(401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR');
    if (token === 'malformed') return refuse(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT');
    response.writeHead(200).end('{"name":"projects/shop-1/messages/0:1"}');
  }

  function grant(request: Received, response: Parameters<Answer>[1]): void {
    server.grants.push(request);
    const form = new URLSearchParams(request.body);
    const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}') as Record<string, unknown>;
    const now = Date.now() / 1_000;
    const right =
      form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' &&
      (JSON.parse(Buffer.from(header, 'base64url').toString() || '{}') as { alg?: string }).alg === 'RS256' &&
      verify('RSA-SHA256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url')) &&
      said['iss'] === EMAIL &&
      said['scope'] === 'https://www.googleapis.com/auth/firebase.messaging' &&
      said['aud'] === `${server.url}/token` &&
      Number(said['iat']) <= now + 1 &&
      Number(said['exp']) > now &&
      Number(said['exp']) - Number(said['iat']) <= 3_600;
    if (right) response.writeHead(200).end(JSON.stringify({ access_token: server.token, expires_in: 3599, token_type: 'Bearer' }));
    else response.writeHead(400).end('{"error":"invalid_grant","error_description":"Invalid JWT Signature."}');
  }
}
