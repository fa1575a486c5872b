import { createHash, createHmac } from 'node:crypto';
import type { Received } from './receiver';

/** What the receiver knows of who may ask. */
export interface AwsReceiver {
  readonly secretAccessKey: string;
  /** S3: the path is signed as it is sent, encoded once. */
  readonly once?: boolean;
  /** Whether `.`, `..` and empty parts of the path are signed as they stand. */
  readonly verbatim?: boolean;
}

/**
 * The signature that a request should bear, by "Create a signed AWS API request" of AWS's manual, from the bytes that arrived and the
 * secret alone. It knows nothing of the code that signs; AWS's test vectors prove it.
 */
export function expectedAwsSignature(request: Pick<Received, 'method' | 'path' | 'headers' | 'bytes'>, receiver: AwsReceiver): string {
  const { method, path, headers, bytes } = request;
  const { scope, signedHeaders } = authorizationOf(headers['authorization'] ?? '');
  const [, before = '', query = ''] = /^([^?]*)\??([\s\S]*)$/.exec(path) ?? [];
  const bodyHash = createHash('sha256').update(bytes).digest('hex');
  const canonical = [
    method,
    canonicalPath(before, receiver),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/\s+/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    bodyHash,
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = scope.split('/').reduce<string | Buffer>((secret, part) => createHmac('sha256', secret).update(part).digest(), `AWS4${receiver.secretAccessKey}`); // prettier-ignore
  return createHmac('sha256', key).update(toSign).digest('hex');
}

export interface AwsAuthorizationHeader {
  readonly accessKeyId: string;
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

export function authorizationOf(header: string): AwsAuthorizationHeader {
  const [, accessKeyId = '', scope = '', names = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(header) ?? [];
  return { accessKeyId, scope, signedHeaders: names.split(';'), signature };
}

function canonicalPath(path: string, { once = false, verbatim = false }: AwsReceiver): string {
  if (once) return path.split('/').map((part) => encode(decodeURIComponent(part))).join('/'); // prettier-ignore
  if (verbatim) return path.split('/').map(encode).join('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(encode(part));
  }
  return `/${parts.join('/')}${parts.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((one) => one !== '').map((one) => {
    const [, name = '', value = ''] = /^([^=]*)=?([\s\S]*)$/.exec(one) ?? [];
    return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value))] as const;
  }); // prettier-ignore
  return pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1)).map((pair) => pair.join('=')).join('&'); // prettier-ignore
}

function encode(text: string): string {
  return [...Buffer.from(text)].map((byte) => (/[A-Za-z0-9._~-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)).join(''); // prettier-ignore
}
