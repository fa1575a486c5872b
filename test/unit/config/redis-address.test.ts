import { redisAddress, shownRedis } from '../../../src/config/redis-address';
import { loadSettings } from '../../../src/config/load';
import { defaultSettings } from '../../support/stream';
import { SETTINGS } from '../../../src/config/settings';

const at = (host: string, port: number): { host: string; port: number } => ({ host, port });
const SERVER = { by: 'server', master: null, username: null, password: null, database: 0, tls: false };

test.each([
  ['redis://h', { ...SERVER, hosts: [at('h', 6379)] }],
  ['redis://h:1/', { ...SERVER, hosts: [at('h', 1)] }],
  ['redis://[::1]:7000/3', { ...SERVER, hosts: [at('::1', 7000)], database: 3 }],
  ['rediss://:p%40ss@h', { ...SERVER, hosts: [at('h', 6379)], password: 'p@ss', tls: true }],
  ['redis://user:p@s:s@h:1', { ...SERVER, hosts: [at('h', 1)], username: 'user', password: 'p@s:s' }],
  ['redis://user@h', { ...SERVER, hosts: [at('h', 6379)], username: 'user' }],
  ['redis://a:1, b:2,c', { ...SERVER, hosts: [at('a', 1), at('b', 2), at('c', 6379)] }],
  ['redis-sentinel://a,b:2/0#shop', { ...SERVER, by: 'sentinel', hosts: [at('a', 26379), at('b', 2)], master: 'shop' }],
  [
    'rediss-sentinel://u:p@a/4#my%20shop',
    { ...SERVER, by: 'sentinel', hosts: [at('a', 26379)], master: 'my shop', username: 'u', password: 'p', database: 4, tls: true },
  ],
])('%s is understood', (text, address) => {
  expect(redisAddress(text)).toEqual(address);
});

test.each([
  'redis.example:6379',
  'http://h',
  'redis://',
  'redis://h:0',
  'redis://h:70000',
  'redis://h/x',
  'redis://h?family=4',
  'redis://a,,b',
  'redis://u:%zz@h',
  'redis://h#shop',
  'redis-sentinel://h',
  'redis-sentinel://h/0',
])('%s is none', (text) => {
  expect(redisAddress(text)).toBeNull();
});

test.each([
  ['redis://h:1/0', 'redis://h:1/0'],
  ['redis://user:SECRET@h', 'redis://user:***@h'],
  ['redis://:SE@CR:ET@h', 'redis://:***@h'],
  ['redis-sentinel://user:SECRET@a,b/0#shop', 'redis-sentinel://user:***@a,b/0#shop'],
])('%s is shown without its password', (text, shown) => {
  expect(shownRedis(text)).toBe(shown);
  expect(SETTINGS.redisUrl.show(defaultSettings({ redisUrl: text }).redisUrl)).toBe(shown);
});

test.each(['OBSERVERS_DEDUP_DRIVER', 'OBSERVERS_CACHE_DRIVER'])('%s=redis without a server is refused', (variable) => {
  expect(() => loadSettings({ env: { [variable]: 'redis' } })).toThrow(`${variable}: redis needs a server: set REDIS_URL, or redis_url under settings:`); // prettier-ignore
});
