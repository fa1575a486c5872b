import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify, type ECDH } from 'node:crypto';
import { startReceiver, type Answer, type Received, type Receiver } from './receiver';

export interface PushService extends Receiver {
  /** What a browser would give out for this service. */
  readonly subscription: { readonly endpoint: string; readonly keys: { readonly p256dh: string; readonly auth: string } };
  readonly check: Answer;
  /** Decrypted, as the browser would. */
  readonly messages: { readonly text: string; readonly ttl: string; readonly urgency: string; readonly subject: string }[];
}

/** A push service and the browser behind it: RFC 8030 in front, VAPID (RFC 8292) checked, messages decrypted as RFC 8291 says. */
export async function startPushService(): Promise<PushService> {
  const browser = createECDH('prime256v1');
  const p256dh = browser.generateKeys('base64url');
  const auth = randomBytes(16);
  const receiver = await startReceiver();
  const endpoint = `${receiver.url}/push/${randomBytes(8).toString('hex')}?v=1`;
  const service: PushService = Object.assign(receiver, {
    subscription: { endpoint, keys: { p256dh, auth: auth.toString('base64url') } },
    messages: [],
    check,
  });
  receiver.answer = check;
  return service;

  function check(request: Received, response: Parameters<Answer>[1]): void {
    const { headers, path, bytes } = request;
    const subject = vapidSubject(headers['authorization'] ?? '', receiver.url);
    if (subject === null) return void response.writeHead(403).end('invalid VAPID');
    if (!endpoint.endsWith(path)) return void response.writeHead(410).end('expired');
    if (headers['ttl'] === undefined || headers['content-encoding'] !== 'aes128gcm') return void response.writeHead(400).end();
    if (bytes.length > 4_096) return void response.writeHead(413).end();
    service.messages.push({ text: decrypt(bytes, browser, auth), ttl: headers['ttl'], urgency: headers['urgency'] ?? '', subject });
    response.writeHead(201).end();
  }
}

/** `vapid t=JWT, k=KEY`, ES256. @returns the subject, or null when anything is wrong */
function vapidSubject(authorization: string, audience: string): string | null {
  const [, token = '', key = ''] = /^vapid t=([\w.-]+), ?k=([\w-]+)$/.exec(authorization) ?? [];
  const [header = '', claims = '', signature = ''] = token.split('.');
  const point = Buffer.from(key, 'base64url');
  if (point.length !== 65) return null;
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  const publicKey = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const };
  if (!verify('sha256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))) return null;
  const { aud, exp, sub } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { aud: string; exp: number; sub: string };
  return aud === audience && exp > Date.now() / 1_000 && exp < Date.now() / 1_000 + 86_400 ? sub : null;
}

function decrypt(bytes: Buffer, browser: ECDH, auth: Buffer): string {
  const salt = bytes.subarray(0, 16);
  const length = bytes.readUInt8(20);
  const sender = bytes.subarray(21, 21 + length);
  const derive = (secret: Buffer, salted: Buffer, info: Buffer, size: number): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, salted, info, size));
  const keyInfo = Buffer.concat([Buffer.from('WebPush: info\0'), browser.getPublicKey(), sender]);
  const secret = derive(browser.computeSecret(sender), auth, keyInfo, 32);
  const key = derive(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16);
  const nonce = derive(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12);
  const sealed = bytes.subarray(21 + length);
  const decipher = createDecipheriv('aes-128-gcm', key, nonce).setAuthTag(sealed.subarray(-16));
  const padded = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  return padded.subarray(0, padded.lastIndexOf(2)).toString('utf8');
}
