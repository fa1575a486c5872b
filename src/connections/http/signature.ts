import { createHmac, createSecretKey, sign } from 'node:crypto';
import { ed25519Key } from '../../config/ed25519-key';

/** One of the signatures in the header. @param before `id.timestamp.` */
type Signature = (before: string, body: Buffer) => string;

/**
 * Standard Webhooks signatures over the bytes that are sent.
 *
 * @param secrets `whsec_` and base64 of a shared secret, or `whsk_` and base64 of a private key; each gives one signature, so that a
 *   receiver may know only one of them during a rotation
 */
export function signer(secrets: readonly string[]): (id: string, timestamp: number, body: Buffer) => string {
  const signatures = secrets.map((secret) => (secret.startsWith('whsk_') ? ed25519(secret) : hmac(secret)));
  return (id, timestamp, body) => {
    const before = `${id}.${timestamp}.`;
    return signatures.map((signature) => signature(before, body)).join(' ');
  };
}

function hmac(secret: string): Signature {
  const key = createSecretKey(secret.replace(/^whsec_/, ''), 'base64');
  return (before, body) => `v1,${createHmac('sha256', key).update(before).update(body).digest('base64')}`;
}

function ed25519(secret: string): Signature {
  const key = ed25519Key(secret);
  if (typeof key === 'string') throw new Error(`a signing secret got past the check of the file: ${key}`);
  return (before, body) => `v1a,${sign(null, Buffer.concat([Buffer.from(before), body]), key).toString('base64')}`;
}
