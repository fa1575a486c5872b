import ipaddr from 'ipaddr.js';

/** Whether what is sent there stays on this machine. @param host as it stands in a URL; a path is a socket of the system */
export function isThisMachine(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (name === '' || name === 'localhost' || name.endsWith('.localhost') || name.startsWith('/')) return true;
  if (!ipaddr.isValid(name)) return false;
  const address = ipaddr.parse(name);
  const plain = 'isIPv4MappedAddress' in address && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
  return plain.range() === 'loopback';
}
