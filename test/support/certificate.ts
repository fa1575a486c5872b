import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

// X.509 by hand: neither Node nor npm alone can make a certificate, and the tests need nothing else on the machine.

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** DNS names and `IP:` addresses. */
  readonly names?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface Authority extends Certificate {
  issue(options: CertificateOptions): Certificate;
}

const DAY = 86_400_000;

export function createAuthority(name = 'Test Authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = certificate(name, keys.publicKey, name, keys.privateKey, {}, true);
  return {
    cert: own,
    key: pem(keys.privateKey),
    issue: (options) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return { cert: certificate('server', publicKey, name, keys.privateKey, options, false), key: pem(privateKey) };
    },
  };
}

export function selfSigned(options: CertificateOptions): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { cert: certificate('server', publicKey, 'server', privateKey, options, false), key: pem(privateKey) };
}

function certificate(
  subject: string,
  key: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  options: CertificateOptions,
  authority: boolean,
): string {
  const { names = [], notBefore = new Date(Date.now() - DAY), notAfter = new Date(Date.now() + DAY) } = options;
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_WITH_SHA256,
    nameOf(issuer),
    sequence(time(notBefore), time(notAfter)),
    nameOf(subject),
    key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(names, authority))),
  );
  const signed = sequence(body, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), sign('sha256', body, issuerKey)));
  return `-----BEGIN CERTIFICATE-----\n${signed
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function extensions(names: readonly string[], authority: boolean): Buffer[] {
  const constraints = sequence(oid('551d13'), der(0x04, authority ? sequence(der(0x01, Buffer.from([0xff]))) : sequence()));
  if (names.length === 0) return [constraints];
  const alternatives = names.map((name) =>
    name.startsWith('IP:') ? der(0x87, Buffer.from(name.slice(3).split('.').map(Number))) : der(0x82, Buffer.from(name)),
  );
  return [constraints, sequence(oid('551d11'), der(0x04, sequence(...alternatives)))];
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...contents: Buffer[]): Buffer {
  return der(0x30, ...contents);
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(commonName)))));
}

/** UTCTime, YYMMDDHHMMSSZ: what the standard wants for dates before 2050. */
function time(date: Date): Buffer {
  return der(
    0x17,
    Buffer.from(
      date
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2),
    ),
  );
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'));
