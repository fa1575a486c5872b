import type { AddressInfo } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

/**
 * Where others reach what is bound to this address. In a container it is 0.0.0.0, which is each container's own: `metrics`, run in the pod of a
 * stand-by, would ask that one in place of the leader. So it is the first address that is not this machine's alone.
 *
 * @param interfaces of this machine
 */
export function reachableAddress({ address, port }: AddressInfo, interfaces = networkInterfaces()): string {
  const others = Object.values(interfaces)
    .flatMap((addresses: NetworkInterfaceInfo[] | undefined) => addresses ?? [])
    .filter((one) => !one.internal && !one.address.startsWith('fe80:'));
  // What is bound to :: takes IPv4 as well.
  const v4 = others.find(({ family }) => family === 'IPv4');
  const v6 = others.find(({ family }) => family === 'IPv6');
  if (address === '0.0.0.0') return `${v4?.address ?? '127.0.0.1'}:${port}`;
  if (address === '::') return v4 !== undefined ? `${v4.address}:${port}` : `[${v6?.address ?? '::1'}]:${port}`;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
