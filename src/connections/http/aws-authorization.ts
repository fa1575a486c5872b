import { createHash, createHmac, type BinaryLike, type Hash, type Hmac } from 'node:crypto';
import type { SignatureV4 } from '@smithy/signature-v4';
import type { Clock } from '../../event/clock';
import type { AwsAuth } from '../../event/definitions';
import type { Outcome } from '../../event/outcome';
import type { Authorization, Authorized } from './authorization';
import type { HttpRequest } from './http-exchange';

const NOTHING = Buffer.alloc(0);
/** Spans are the business of whoever stands in between, and may be changed there. */
const UNSIGNED = new Set(['traceparent', 'tracestate']);

/** AWS Signature Version 4, by the library of AWS. */
export class AwsAuthorization implements Authorization {
  private readonly host: string;
  private signing: Promise<SignatureV4> | null = null;

  /** @param origin of the receiver, whose host is signed */
  constructor(
    private readonly auth: AwsAuth,
    origin: string,
    private readonly clock: Clock,
  ) {
    this.host = new URL(origin).host;
  }

  async authorize(request: HttpRequest): Promise<Authorized> {
    const signer = await (this.signing ??= signerOf(this.auth));
    const { protocolPath, query } = partsOf(request.path, this.auth.service === 's3');
    const message = {
      method: request.method,
      protocol: 'https:',
      hostname: this.host,
      path: protocolPath,
      query,
      headers: { ...Object.fromEntries(pairsOf(request.headers)), host: this.host },
      body: request.body ?? NOTHING,
    };
    const signed = await signer.sign(message, { signingDate: new Date(this.clock.now()), unsignableHeaders: UNSIGNED });
    const given = new Set(pairsOf(request.headers).map(([name]) => name));
    const added = Object.entries(signed.headers).filter(([name]) => name !== 'host' && !given.has(name));
    return { request: { ...request, headers: [...request.headers, ...added.flat()] }, judged: (outcome: Outcome) => outcome };
  }

  close(): void {}
}

/** Loaded by who needs it: it takes its time. */
async function signerOf({ region, service, accessKeyId, secretAccessKey, sessionToken }: AwsAuth): Promise<SignatureV4> {
  const { SignatureV4: Signer } = await import('@smithy/signature-v4');
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) };
  // S3 alone takes the path as it is sent; all others encode it once more.
  return new Signer({ region, service, credentials, sha256: Sha256, uriEscapePath: service !== 's3' });
}

/** What the library hashes with. */
class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: unknown) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as BinaryLike);
  }

  update(data: Uint8Array): void {
    this.hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest());
  }

  reset(): void {
    throw new Error('a hash is used once');
  }
}

interface Parts {
  readonly protocolPath: string;
  readonly query: Readonly<Record<string, string | string[]>>;
}

/** The path as it is signed, and the parameters of the query as they are meant. */
function partsOf(path: string, decoded: boolean): Parts {
  const [, before = path, query = ''] = /^([^?]*)\??([\s\S]*)$/.exec(path) ?? [];
  const parameters = new Map<string, string[]>();
  for (const piece of query.split('&').filter((one) => one !== '')) {
    const [, name = '', value = ''] = /^([^=]*)=?([\s\S]*)$/.exec(piece) ?? [];
    parameters.set(decode(name), [...(parameters.get(decode(name)) ?? []), decode(value)]);
  }
  // A key of S3 is signed with all but letters, digits and - . _ ~ encoded, however much of it was.
  const protocolPath = decoded ? before.split('/').map((part) => encode(decode(part))).join('/') : before; // prettier-ignore
  return { protocolPath, query: Object.fromEntries(parameters) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function pairsOf(headers: readonly string[]): (readonly [string, string])[] {
  return headers.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), headers[i + 1] ?? ''] as const] : []));
}
