import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isDotSegment } from '../matching/template/encoding';
import { hasTags, literalsOf } from '../matching/template/template';
import { ed25519Key } from './ed25519-key';
import { didYouMean } from './problems';
import { decoded } from './url-parts';

// Each answers what is wrong, or null. None repeats the value: it may have come out of a secret.

// eslint-disable-next-line no-control-regex -- these are what is refused
const CONTROL = /[\0-\x1f\x7f]/;

/** @returns null for http(s) URLs without credentials whose origin holds no template, and whose path and query can be sent as they are meant */
export function urlProblem(url: string): string | null {
  const [, scheme = '', authority = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(url) ?? [];
  if (!/^https?$/i.test(scheme)) return 'expected a URL that begins with http:// or https://';
  if (hasTags(authority)) return 'host and port may not hold a template: where a delivery goes is decided by the file, not by data';
  if (authority.includes('@')) return 'credentials do not belong in a URL, which is logged; give an authorization header';
  // Not what stands in a tag: that is encoded when it is rendered.
  const literal = literalsOf(url, 'x');
  if (CONTROL.test(literal)) return 'a URL may not hold a line break or another control character';
  if (/ $/.test(literal)) return 'the URL ends with a blank';
  const [path = ''] = literal.split(/[?#]/, 1);
  if (path.includes('\\')) return 'before the query a URL may not hold a backslash: write / or %5C';
  if (!URL.canParse(`${scheme}://${authority}`) || authority === '' || isPortZero(`${scheme}://${authority}`))
    return 'host or port is not valid';
  return path.split('/').some(isDotSegment) ? 'the path may not hold the parts "." and "..": write where it leads' : null;
}

function isPortZero(origin: string): boolean {
  return new URL(origin).port === '0';
}

/** A fragment belongs to who reads a page, and never goes out. */
export function hasFragment(url: string): boolean {
  return literalsOf(url).includes('#');
}

/** For a text that is one line once it is rendered. */
export function oneLineProblem(template: string, what: string): string | null {
  return CONTROL.test(literalsOf(template)) ? `${what} may not hold a line break or another control character` : null;
}

/** @returns null for `http://host:port`, with or without user and password */
export function proxyProblem(url: string): string | null {
  const expected = 'expected http://host:port or http://user:password@host:port';
  if (/^https:/i.test(url)) return `${expected}; the tunnel through it is encrypted to an https receiver all the same`;
  if (!/^http:\/\/[^/?#\\\s]+\/?$/i.test(url) || !URL.canParse(url) || isPortZero(url))
    return `${expected}; in user and password write / ? # @ : % as %2F %3F %23 %40 %3A %25`;
  const { username, password } = new URL(url);
  return decoded(username + password) === null ? 'user or password is not percent-encoded UTF-8; a % is written %25' : null;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Set by us: a second one would contradict ours, or the body. */
const RESERVED = new Set([
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'observers-cause',
  'observers-action',
  'observers-test',
  'host',
]);
/** Of one connection, not of a request: they say how it is framed, who is next, or what becomes of the connection (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
]);

/** Names of headers count without regard to case: of two that differ only in that, one would silently win. */
export function repeatedHeader(names: readonly string[]): string | null {
  const lower = names.map((name) => name.toLowerCase());
  return names.find((_name, i) => lower.indexOf(lower[i] ?? '') !== i) ?? null;
}

export function headerProblem(name: string, value: string): string | null {
  if (!TOKEN.test(name)) return `"${name}" is not the name of a header`;
  const lower = name.toLowerCase();
  if (RESERVED.has(lower)) return `the header ${name} is set by the service itself`;
  if (lower === 'proxy-authorization') return `the header ${name} would go to the receiver; give user and password in proxy`;
  if (HOP_BY_HOP.has(lower)) return `the header ${name} belongs to the connection, which is the service's own`;
  // What stands in a tag is encoded when it is rendered.
  const literal = literalsOf(value);
  // eslint-disable-next-line no-control-regex -- these are what is refused
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(literal)) return 'a header may not hold a line break or another control character';
  return /[^\t\x20-\x7e]/.test(literal) ? 'a header may hold ASCII characters only' : null;
}

/** Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an ed25519 private key. */
export function secretProblem(secret: string): string | null {
  if (secret.startsWith('whpk_')) return 'whpk_ is the public key, which receivers verify with; give the private one, whsk_…';
  if (secret.startsWith('whsk_')) {
    const key = ed25519Key(secret);
    return typeof key === 'string' ? key : null;
  }
  const encoded = secret.replace(/^whsec_/, '');
  if (encoded === secret) return 'expected whsec_ and base64; make one with: echo whsec_$(openssl rand -base64 32)';
  const bytes = Buffer.from(encoded, 'base64');
  const clean = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return clean && bytes.length >= 24 && bytes.length <= 64 ? null : 'expected base64 of 24 to 64 bytes after whsec_';
}

/** What Elasticsearch accepts as the name of an index. */
export function indexProblem(index: string): string | null {
  if (hasTags(index)) return 'an index may hold no template: where documents go is decided by the file, not by data';
  const valid = index === index.toLowerCase() && !/^[-_+]|^\.{1,2}$|[\\/*?"<>|\s,#:]/.test(index) && Buffer.byteLength(index) <= 255;
  return valid
    ? null
    : 'expected the name of an index: lower case, without \\ / * ? " < > | , # : and blanks, and not beginning with - _ +';
}

const HOST = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** No name ends in a number: 10.0.0.256 and 0x7f.1 are addresses gone wrong. */
const NUMERIC_END = /(^|\.)(\d+|0x[\da-f]*)$/i;
const CLASSES = ['private', 'loopback'];

export function addressProblem(entry: string): string | null {
  const expected = 'expected a CIDR block (10.0.0.0/8), an address, a host name, private or loopback';
  if (entry.includes('/')) return isIP(entry.split('/')[0] ?? '') && ipaddr.isValidCIDR(entry) ? null : expected;
  if (isIP(entry)) return entry.includes('%') ? expected : null;
  if (!HOST.test(entry) || NUMERIC_END.test(entry)) return expected;
  // `privat` would be a host of that name, and allow nothing.
  const hint = CLASSES.includes(entry) || entry.includes('.') ? '' : didYouMean(entry, CLASSES);
  return hint === '' ? null : `${expected}${hint}`;
}
