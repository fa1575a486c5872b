import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

// Each answers what is wrong, or null. None repeats the value: it may have come out of a secret.

/** @returns null for http(s) URLs without credentials whose origin holds no template */
export function urlProblem(url: string): string | null {
  const [, scheme = '', authority = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(url) ?? [];
  if (!/^https?$/i.test(scheme)) return 'expected a URL that begins with http:// or https://';
  if (/\{[{%]/.test(authority)) return 'host and port may not hold a template: where a delivery goes is decided by the file, not by data';
  if (authority.includes('@')) return 'credentials do not belong in a URL, which is logged; give an authorization header';
  if (!URL.canParse(`${scheme}://${authority}`) || authority === '') return 'host or port is not valid';
  return null;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Set by us: a second one would contradict ours, or the body. */
const RESERVED = new Set([
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'content-length',
  'transfer-encoding',
  'host',
  'connection',
]);

export function headerProblem(name: string, value: string): string | null {
  if (!TOKEN.test(name)) return `"${name}" is not the name of a header`;
  if (RESERVED.has(name.toLowerCase())) return `the header ${name} is set by the service itself`;
  // eslint-disable-next-line no-control-regex -- these are what is refused
  return /[\0-\x08\x0a-\x1f\x7f]/.test(value) ? 'a header may not hold a line break or another control character' : null;
}

/** Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes. */
export function secretProblem(secret: string): string | null {
  const encoded = secret.replace(/^whsec_/, '');
  if (encoded === secret) return 'expected whsec_ and base64; make one with: echo whsec_$(openssl rand -base64 32)';
  const bytes = Buffer.from(encoded, 'base64');
  const clean = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return clean && bytes.length >= 24 && bytes.length <= 64 ? null : 'expected base64 of 24 to 64 bytes after whsec_';
}

const HOST = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

export function addressProblem(entry: string): string | null {
  const expected = 'expected a CIDR block (10.0.0.0/8), an address, a host name, private or loopback';
  if (entry.includes('/')) return ipaddr.isValidCIDR(entry) ? null : expected;
  return isIP(entry) || HOST.test(entry) ? null : expected;
}
