import { createHmac, createSecretKey } from 'node:crypto';

/**
 * Standard Webhooks signatures over the bytes that are sent.
 *
 * @param secrets `whsec_` and base64; each gives one signature, so that a receiver may know only one of them during a rotation
 */
export function signer(secrets: readonly string[]): (id: string, timestamp: number, body: Buffer) => string {
  const keys = secrets.map((secret) => createSecretKey(secret.replace(/^whsec_/, ''), 'base64'));
  return (id, timestamp, body) => {
    const before = `${id}.${timestamp}.`;
    return keys.map((key) => `v1,${createHmac('sha256', key).update(before).update(body).digest('base64')}`).join(' ');
  };
}
