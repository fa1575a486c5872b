import { parse } from 'yaml';
import { HttpSender } from '../../../src/connections/http/http-sender';
import { AddressPolicy } from '../../../src/connections/http/outbound-guard';
import { addressProblem, urlProblem } from '../../../src/config/checks';
import type { Failed, Outcome } from '../../../src/event/outcome';
import { endpointOf } from '../../support/stream';

const nothing = new AddressPolicy([], 'shop');

async function sendTo(url: string, allowAddresses: string[]): Promise<Outcome> {
  const sender = new HttpSender(endpointOf(url, { name: 'shop', allowAddresses, timeout: 2_000 }));
  const outcome = await sender.send({ path: '/', method: 'POST', headers: [], body: Buffer.from('x') });
  await sender.close();
  return outcome;
}

// Spelling in a URL, and what is written of it in the refusal. Nothing here is dialled: no test may depend on what listens there.
const LITERALS: [url: string, address: string][] = [
  ['http://127.0.0.1', '127.0.0.1'],
  ['http://127.1', '127.0.0.1'],
  ['http://127.0.1', '127.0.0.1'],
  ['http://2130706433', '127.0.0.1'],
  ['http://0x7f000001', '127.0.0.1'],
  ['http://0x7f.1', '127.0.0.1'],
  ['http://0x7F.0x0.0x0.0x1', '127.0.0.1'],
  ['http://017700000001', '127.0.0.1'],
  ['http://0177.0.0.01', '127.0.0.1'],
  ['http://127.0.0.1.', '127.0.0.1'],
  ['http://127。0。0。1', '127.0.0.1'],
  ['http://①②⑦.0.0.1', '127.0.0.1'],
  ['http://%31%32%37.0.0.1', '127.0.0.1'],
  ['http://127.0.0.1:80', '127.0.0.1'],
  ['http://127.255.255.254', '127.255.255.254'],
  ['http://0', '0.0.0.0'],
  ['http://0.0.0.0', '0.0.0.0'],
  ['http://10.1', '10.0.0.1'],
  ['http://012.1', '10.0.0.1'],
  ['http://192.168.257', '192.168.1.1'],
  ['http://0xa9fea9fe', '169.254.169.254'],
  ['http://2852039166', '169.254.169.254'],
  ['http://0251.0376.0251.0376', '169.254.169.254'],
  ['http://[::1]', '::1'],
  ['http://[0:0:0:0:0:0:0:1]', '::1'],
  ['http://[::]', '::'],
  ['http://[::ffff:127.0.0.1]', '::ffff:7f00:1'],
  ['http://[::ffff:7f00:1]', '::ffff:7f00:1'],
  ['http://[::ffff:0x7f.1]', ''],
  ['http://[::127.0.0.1]', '::7f00:1'],
  ['http://[::ffff:0:127.0.0.1]', '::ffff:0:7f00:1'],
  ['http://[64:ff9b::127.0.0.1]', '64:ff9b::7f00:1'],
  ['http://[fe80::1%25eth0]', ''],
  ['http://[fe80::1%eth0]', ''],
  ['http://8.8.8.8@127.0.0.1', ''],
  ['http://8.8.8.8\\@127.0.0.1', ''],
  ['http://256.1.1.1', ''],
  ['http:///127.0.0.1', ''],
];

test.each(LITERALS)('%s is refused, however it is spelled', async (url, address) => {
  // An address '' is no URL of ours: the observers file with it is not loaded.
  if (address === '') return expect(urlProblem(url)).not.toBeNull();
  expect(urlProblem(url)).toBeNull();
  const outcome = await sendTo(url, []);
  expect(outcome).toMatchObject({ ok: false, error: 'blocked_address' });
  expect((outcome as Failed).message).toContain(`${address} is not a public address`);
});

const BLOCKED: [address: string, word: string][] = [
  ['0.1.2.3', 'unspecified'],
  ['10.0.0.0', 'private'],
  ['10.255.255.255', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['127.0.0.53', 'loopback'],
  ['169.254.0.1', 'link-local'],
  ['169.254.169.254', 'link-local'],
  ['169.254.170.2', 'link-local'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.100.100.200', 'carrier-grade NAT'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['168.63.129.16', "the cloud's metadata service"],
  ['192.0.0.1', 'reserved'],
  ['192.0.0.192', 'reserved'],
  ['192.0.2.1', 'reserved'],
  ['198.51.100.1', 'reserved'],
  ['203.0.113.1', 'reserved'],
  ['198.18.0.1', 'reserved'],
  ['198.19.255.255', 'reserved'],
  ['192.88.99.1', 'reserved'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.254', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:10.0.0.1', 'private'],
  ['::ffff:a9fe:a9fe', 'link-local'],
  ['::ffff:100.64.0.1', 'carrier-grade NAT'],
  ['::10.0.0.1', 'unassigned'],
  ['::ffff:0:10.0.0.1', 'translated IPv4'],
  ['64:ff9b::10.0.0.1', 'NAT64'],
  ['64:ff9b::169.254.169.254', 'NAT64'],
  // What a gateway does with a public address inside is not ours to see: refused as well.
  ['64:ff9b::8.8.8.8', 'NAT64'],
  ['64:ff9b:1::1', 'NAT64'],
  ['64:ff9b:1:a00::1', 'NAT64'],
  ['2002:a00:1::', '6to4'],
  ['2002:a9fe:a9fe::1', '6to4'],
  ['2002:808:808::', '6to4'],
  ['2001:0:a00:1::1', 'teredo'],
  ['2001::', 'teredo'],
  ['2001:db8::1', 'reserved'],
  ['3fff::1', 'reserved'],
  ['2001:2::1', 'benchmarking'],
  ['2001:20::1', 'reserved'],
  ['100::1', 'discard'],
  ['5f00::1', 'reserved'],
  ['4000::1', 'unassigned'],
  ['fc00::1', 'private'],
  ['fdff:ffff::1', 'private'],
  ['fd00:ec2::254', "the cloud's metadata service"],
  ['fd00:ec2::23', "the cloud's metadata service"],
  ['fd20:ce::254', "the cloud's metadata service"],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'site-local'],
  ['ff02::1', 'multicast'],
  ['ff0e::1', 'multicast'],
];

test.each(BLOCKED)('%s is refused as %s, and the setting that is named allows it and nothing of another kind', (address, word) => {
  expect(nothing.allows(address, address)).toBe(false);
  const { message } = nothing.refusal(address, 'a.example');
  expect(message).toContain(`a.example (${address}) is not a public address but ${word}; if it is meant, allow it: allow_addresses: [`);
  expect(message).toMatch(/ on endpoint shop$/);
  const named = /(allow_addresses: \[.*\])/.exec(message)?.[1] ?? '';
  const { allow_addresses: allow } = parse(named) as { allow_addresses: string[] };
  expect(allow.map(addressProblem)).toEqual([null]);
  const policy = new AddressPolicy(allow, 'shop');
  expect(policy.allows(address, address)).toBe(true);
  expect(BLOCKED.filter(([other, its]) => its !== word && policy.allows(other, other))).toEqual([]);
});

const PUBLIC = [
  '8.8.8.8',
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.167.255.255',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '::ffff:8.8.8.8',
  '2606:4700:4700::1111',
  '2a00:1450:4001::200e',
  '2001:4860:4860::8888',
  '2400::1',
  '3ffe::1',
];

test.each(PUBLIC)('%s is public, and needs no setting', (address) => {
  expect(nothing.allows(address, 'a.example')).toBe(true);
});

const ALLOWED: [allow: string, address: string, host: string, verdict: boolean][] = [
  ['10.0.0.0/8', '10.255.0.1', 'a', true],
  ['10.1.2.3/8', '10.255.0.1', 'a', true],
  ['10.0.0.0/8', '11.0.0.1', '11.0.0.1', true],
  ['10.0.0.0/8', '192.168.0.1', 'a', false],
  ['10.0.0.0/8', '::ffff:10.0.0.1', 'a', true],
  ['10.0.0.0/8', '64:ff9b::10.0.0.1', 'a', false],
  ['::ffff:10.0.0.0/104', '10.9.9.9', 'a', true],
  ['::ffff:10.0.0.0/104', '192.168.0.1', 'a', false],
  ['::ffff:10.0.0.5', '10.0.0.5', 'a', true],
  ['0.0.0.0/0', '169.254.169.254', 'a', true],
  ['0.0.0.0/0', '::1', 'a', false],
  ['::/0', 'fe80::1', 'a', true],
  ['192.168.1.7', '192.168.1.7', 'a', true],
  ['192.168.1.7', '192.168.1.8', 'a', false],
  ['fd00::/8', 'fd12::1', 'a', true],
  ['fd00:1::7', 'fd00:1:0:0::7', 'a', true],
  ['64:ff9b::/96', '64:ff9b::8.8.8.8', 'a', true],
  ['private', '10.0.0.1', 'a', true],
  ['private', '172.20.0.1', 'a', true],
  ['private', 'fd12::1', 'a', true],
  ['private', '127.0.0.1', 'a', false],
  ['private', '169.254.169.254', 'a', false],
  ['private', '100.64.0.1', 'a', false],
  // AWS answers there with the keys of the machine, and it is a unique local address.
  ['private', 'fd00:ec2::254', 'a', false],
  ['fd00:ec2::254', 'fd00:ec2::254', 'a', true],
  ['loopback', '127.9.9.9', 'a', true],
  ['loopback', '::1', 'a', true],
  ['loopback', '::ffff:127.0.0.1', 'a', true],
  ['loopback', '10.0.0.1', 'a', false],
  ['loopback', '0.0.0.0', 'a', false],
  ['erp.internal', '10.0.0.1', 'erp.internal', true],
  ['ERP.internal', '10.0.0.1', 'erp.INTERNAL', true],
  ['erp.internal', '10.0.0.1', 'a.erp.internal', false],
  ['erp.internal', '10.0.0.1', 'xerp.internal', false],
  ['erp.internal', '10.0.0.1', '10.0.0.1', false],
];

test.each(ALLOWED)('allow_addresses: [%s] and %s for the host %s: %p', (allow, address, host, verdict) => {
  expect(addressProblem(allow)).toBeNull();
  expect(new AddressPolicy([allow], 'shop').allows(address, host)).toBe(verdict);
});
