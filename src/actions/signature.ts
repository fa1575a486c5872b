import { createHmac } from 'node:crypto';

/**
 * Standard Webhooks signatures over the bytes that are sent.
 *
 * @param secrets `whsec_` and base64; each gives one signature, so that a receiver may know only one of them during a rotation
 */
export function signer(secrets: readonly string[]): (id: string, timestamp: number, body: string) => string {
  const keys = secrets.map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
  return (id, timestamp, body) => {
    const content = `${id}.${timestamp}.${body}`;
    return keys.map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`).join(' ');
  };
}
