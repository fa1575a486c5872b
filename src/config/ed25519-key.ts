import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/** What stands before the 32 bytes of a private key in PKCS #8 (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SEED = 32;

const EXPECTED = 'expected whsk_ and base64 of an ed25519 private key: 32 bytes, or 64 with the public key behind it';

/** The key in `whsk_` and base64, or what is wrong with it. */
export function ed25519Key(secret: string): KeyObject | string {
  const encoded = secret.replace(/^whsk_/, '');
  const bytes = Buffer.from(encoded, 'base64');
  const clean = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  if (!clean || (bytes.length !== SEED && bytes.length !== 2 * SEED)) return EXPECTED;
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, bytes.subarray(0, SEED)]), format: 'der', type: 'pkcs8' });
  if (bytes.length === SEED || bytes.subarray(SEED).equals(publicBytes(key))) return key;
  return 'the 64 bytes after whsk_ are no ed25519 key pair: the second half is not the public key of the first';
}

function publicBytes(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-SEED);
}
