import type { NetworkInterfaceInfo } from 'node:os';
import { reachableAddress } from '../../../src/admin/http/bound-address';

const v4 = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  family: 'IPv4',
  internal,
  netmask: '',
  mac: '',
  cidr: null,
});
const v6 = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  family: 'IPv6',
  internal,
  netmask: '',
  mac: '',
  cidr: null,
  scopeid: 0,
});
const LOOPBACK = [v4('127.0.0.1', true), v6('::1', true)];
const POD = { lo: LOOPBACK, eth0: [v4('10.1.2.3'), v6('fe80::1'), v6('fd00::3')] };

test.each([
  ['one address is that address', '127.0.0.1', POD, '127.0.0.1:8700'],
  ['one of IPv6 is written with brackets', '::1', POD, '[::1]:8700'],
  ['all addresses are the first that others reach', '0.0.0.0', POD, '10.1.2.3:8700'],
  ['those of both kinds too', '::', POD, '10.1.2.3:8700'],
  ['with IPv6 alone it is no link-local one', '::', { lo: LOOPBACK, eth0: [v6('fe80::1'), v6('fd00::3')] }, '[fd00::3]:8700'],
  ['a machine without a network reaches itself', '0.0.0.0', { lo: LOOPBACK }, '127.0.0.1:8700'],
  ['by IPv6 too', '::', { lo: LOOPBACK }, '[::1]:8700'],
])('%s', (_what, address, interfaces, expected) => {
  expect(reachableAddress({ address, port: 8700, family: address.includes(':') ? 'IPv6' : 'IPv4' }, interfaces)).toBe(expected);
});
