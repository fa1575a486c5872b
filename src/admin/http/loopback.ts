import type { Request } from 'express';
import ipaddr from 'ipaddr.js';

/** Set by a proxy that passes on requests of others. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/**
 * Whether a request is of this machine: it comes over loopback, and names loopback as its host. A page of a browser whose name is made to
 * resolve to 127.0.0.1 (DNS rebinding) comes over loopback too, but with its own name.
 */
export function isLocal(request: Request): boolean {
  const { remoteAddress = '' } = request.socket;
  return isLoopback(remoteAddress) && isLoopbackHost(request.get('host')) && FORWARDED.every((name) => request.get(name) === undefined);
}

/** Who is counted as one: an address, of IPv6 the first half, for whoever has one has all of a /64. */
export function networkOf(request: Request): string {
  const { remoteAddress = '' } = request.socket;
  if (!ipaddr.isValid(remoteAddress)) return remoteAddress;
  const address = ipaddr.process(remoteAddress);
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, 4).join(':') : address.toString();
}

/** Whether the request is a browser's, on behalf of a page that is not ours. */
export function isForeign(request: Request): boolean {
  const site = request.get('sec-fetch-site');
  if (site === 'cross-site' || site === 'same-site') return true;
  const origin = request.get('origin');
  if (origin === undefined) return false;
  // Also `null`, which a sandboxed page sends.
  return !URL.canParse(origin) || new URL(origin).host.toLowerCase() !== request.get('host')?.toLowerCase();
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  return plain === '::1' || /^127(\.\d{1,3}){3}$/.test(plain);
}

/** @param host with its port, as in a header or a URL */
export function isLoopbackHost(host: string | undefined): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(host ?? '')?.[1]?.toLowerCase() ?? '';
  return name === 'localhost' || isLoopback(name.replace(/^\[|\]$/g, ''));
}
