import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A destination that no setting allows. It is dead at once: the same address would be refused again. */
export class BlockedAddressError extends Error {
  override readonly name = 'BlockedAddressError';
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Block = [network: Address, bits: number];

/** What may be dialled besides public addresses: CIDR blocks, addresses, host names, `private`, `loopback`. */
export class AddressPolicy {
  private readonly blocks: Block[] = [];
  private readonly hosts = new Set<string>();
  private readonly classes = new Set<string>();

  constructor(
    allow: readonly string[],
    private readonly endpoint: string,
  ) {
    for (const entry of allow) {
      if (entry === 'private' || entry === 'loopback') this.classes.add(entry);
      else if (entry.includes('/')) this.blocks.push(unmappedBlock(ipaddr.parseCIDR(entry)));
      else if (isIP(entry)) this.blocks.push(blockOf(entry));
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
    const parsed = unmapped(address);
    const range = classify(parsed);
    const named = host === address ? address : `${host} (${address})`;
    // An IPv6 address in quotes: to YAML, a colon before a bracket is a mapping.
    const setting = range === 'private' || range === 'loopback' ? range : parsed.kind() === 'ipv4' ? parsed.toString() : `"${parsed.toString()}"`; // prettier-ignore
    return new BlockedAddressError(
      `${named} is not a public address but ${WORDS[range] ?? range}; if it is meant, allow it: allow_addresses: [${setting}] on endpoint ${this.endpoint}`,
    );
  }
}

const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/**
 * Where clouds answer with credentials although the address looks private or public: AWS (instance, containers), Google, Azure. Their other
 * ones are link-local or CGNAT. `private` does not open them: whoever allows a private network does not mean the machine's own keys.
 */
const METADATA = ['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', '168.63.129.16'].map(blockOf);

/** For people, where ipaddr.js has a name for programs. */
const WORDS: Readonly<Record<string, string>> = {
  metadata: "the cloud's metadata service",
  linkLocal: 'link-local',
  carrierGradeNat: 'carrier-grade NAT',
  rfc6052: 'NAT64',
  rfc6145: 'translated IPv4',
  deprecatedSiteLocal: 'site-local',
  deprecatedOrchid: 'reserved',
  orchid2: 'reserved',
  as112v6: 'as112',
  segmentRouting: 'reserved',
  droneRemoteIdProtocolEntityTags: 'reserved',
};

/** `public`, `private`, `loopback`, `metadata`, or ipaddr.js's name of the special range. */
function classify(address: Address): string {
  if (METADATA.some((block) => within(address, block))) return 'metadata';
  const range = address.range();
  if (range === 'uniqueLocal') return 'private';
  if (range !== 'unicast') return range;
  // ipaddr.js calls ::7f00:1 unicast too; only 2000::/3 is assigned to the public.
  return address.kind() === 'ipv4' || within(address, GLOBAL_IPV6) ? 'public' : 'unassigned';
}

function unmapped(address: string): Address {
  const withoutZone = address.split('%')[0] ?? address;
  // ipaddr.js takes ::10.0.0.1 for ::ffff:10.0.0.1; spelled with the leading zero it is what it is.
  return ipaddr.process(withoutZone.replace(/^::(?=\d+\.)/, '0::'));
}

function blockOf(address: string): Block {
  const parsed = unmapped(address);
  return [parsed, parsed.kind() === 'ipv4' ? 32 : 128];
}

/** `::ffff:10.0.0.0/104` is 10.0.0.0/8: addresses are compared without their mapping. */
function unmappedBlock([network, bits]: Block): Block {
  return network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96
    ? [network.toIPv4Address(), bits - 96]
    : [network, bits];
}

function within(address: Address, [network, bits]: Block): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
