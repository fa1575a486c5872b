import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { buildConnector } from 'undici';

/** A destination that no setting allows. It is dead at once: the same address would be refused again. */
export class BlockedAddressError extends Error {
  override readonly name = 'BlockedAddressError';
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** What may be dialled besides public addresses: CIDR blocks, addresses, host names, `private`, `loopback`. */
export class AddressPolicy {
  private readonly blocks: [Address, number][] = [];
  private readonly hosts = new Set<string>();
  private readonly classes = new Set<string>();

  constructor(
    allow: readonly string[],
    private readonly endpoint: string,
  ) {
    for (const entry of allow) {
      if (entry === 'private' || entry === 'loopback') this.classes.add(entry);
      else if (entry.includes('/')) this.blocks.push(ipaddr.parseCIDR(entry));
      else if (isIP(entry)) this.blocks.push([ipaddr.parse(entry), isIP(entry) === 4 ? 32 : 128]);
      else this.hosts.add(entry.toLowerCase());
    }
  }

  allows(address: string, host: string): boolean {
    const parsed = unmapped(address);
    const range = classify(parsed);
    return (
      range === 'public' ||
      this.classes.has(range) ||
      this.hosts.has(host.toLowerCase()) ||
      this.blocks.some((block) => within(parsed, block))
    );
  }

  refusal(address: string, host: string): BlockedAddressError {
    const range = classify(unmapped(address));
    const named = host === address ? address : `${host} (${address})`;
    const setting = range === 'private' || range === 'loopback' ? range : address;
    return new BlockedAddressError(
      `${named} is not a public address but ${range}; if it is meant, allow it: allow_addresses: [${setting}] on endpoint ${this.endpoint}`,
    );
  }
}

const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** `public`, `private`, `loopback`, or ipaddr.js's name of the special range. */
function classify(address: Address): string {
  const range = address.range();
  if (range === 'uniqueLocal') return 'private';
  if (range !== 'unicast') return range;
  // ipaddr.js calls ::7f00:1 unicast too; only 2000::/3 is assigned to the public.
  return address.kind() === 'ipv4' || within(address, GLOBAL_IPV6) ? 'public' : 'unassigned';
}

function unmapped(address: string): Address {
  const withoutZone = address.split('%')[0] ?? address;
  return ipaddr.process(withoutZone);
}

function within(address: Address, [network, bits]: [Address, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/**
 * A connector for undici that dials only what the policy allows. The address that is checked is the one that is dialled: literals
 * before connecting, names in the look-up that the socket itself uses, and the peer once more when it stands. So there is no time
 * between check and use for a name to change its address.
 */
export function guardedConnector(policy: AddressPolicy, timeout: number): buildConnector.connector {
  const lookup = (host: string, options: object, callback: (error: Error | null, addresses: LookupAddress[]) => void): void => {
    dnsLookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const allowed = addresses.filter(({ address }) => policy.allows(address, host));
      if (allowed.length > 0) return callback(null, allowed);
      callback(policy.refusal(addresses[0]?.address ?? host, host), []);
    });
  };
  const connect = buildConnector({ timeout, autoSelectFamily: true, lookup: lookup });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) && !policy.allows(host, host)) return callback(policy.refusal(host, host), null);
    connect(options, (...result) => {
      const [error, socket] = result;
      if (error) return callback(error, null);
      const peer = socket.remoteAddress;
      if (peer !== undefined && policy.allows(peer, host)) return callback(null, socket);
      socket.destroy();
      callback(policy.refusal(peer ?? host, host), null);
    });
  };
}
