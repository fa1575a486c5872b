import { loadSettings } from '../../../src/config/load';
import { describeSettings } from '../../../src/config/describe';
import { SETTINGS } from '../../../src/config/settings';
import { parseDuration, parseSize } from '../../../src/config/units';
import { ConfigFile } from './config-file';
import { matching } from '../../support/texts';

const file = new ConfigFile();
afterAll(() => file.remove());

/** What setTimeout takes; beyond it a timer runs out at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

test.each(Object.values(SETTINGS).map(({ variable, default: fallback }) => [variable, fallback]))(
  'the default of %s, %s, is a value that it takes',
  (variable, fallback) => {
    if (fallback === null) return;
    expect(() => loadSettings({ env: { [variable]: fallback } })).not.toThrow();
  },
);

test.each(['INLINE_BUDGET', 'COMMIT_WINDOW', 'POLL_INTERVAL', 'LEASE_TTL', 'SHUTDOWN_TIMEOUT'])(
  'OBSERVERS_%s takes nothing that a timer cannot hold',
  (name) => {
    expect(() => loadSettings({ env: { [`OBSERVERS_${name}`]: `${LONGEST_TIMER + 1}ms` } })).toThrow(/expected a duration from/);
  },
);

test.each([
  ['endpoints: { e: { url: "https://x/", timeout: 25d } }', /from 1ms to 1h/],
  ['endpoints: { e: { url: "https://x/", timeout: 0s } }', /from 1ms to 1h/],
  ['observers: [{ name: a, entity: x, retry: { max_elapsed: 99999999d }, actions: [{ type: log }] }]', /at most 365d/],
  ['observers: [{ name: a, entity: x, retry: { schedule: [1s, 400d] }, actions: [{ type: log }] }]', /at most 365d/],
  ['observers: [{ name: a, entity: [x, x], actions: [{ type: log }] }]', /another entity "x"/],
  ['observers: [{ name: a, entity: x, on: [insert, insert], actions: [{ type: log }] }]', /another kind "insert"/],
  ['observers: [{ name: a, entity: x, actions: [{ type: webhook, method: GET, url: "https://x/", body: {} }] }]', /a GET carries no body/],
  ['endpoints: { e: { url: "https://x/", headers: { X-A: "1", x-a: "2" } } }', /x-a is there already, in other letters/],
  ['endpoints: { e: { url: "https://x/", headers: { a: "→" } } }', /ASCII characters only/],
  ['endpoints: { observer/webhook: { url: "https://x/" } }', /expected a name of letters/],
  ['endpoints: { "": { url: "https://x/" } }', /expected a name of letters/],
  ['endpoints: { e: { url: "https://x/", allow_addresses: [privat] } }', /did you mean "private"/],
  ['endpoints: { e: { url: "https://x/", allow_addresses: [looback] } }', /did you mean "loopback"/],
  ['endpoints: { e: { url: "https://x/", allow_addresses: [10.0.0.256] } }', /^expected a CIDR block/],
  ['endpoints: { e: { url: "https://x/", allow_addresses: ["0x7f.1"] } }', /^expected a CIDR block/],
  ['endpoints: { e: { url: "https://x/", allow_addresses: ["10/8"] } }', /^expected a CIDR block/],
  ['endpoints: { e: { url: "https://x/", allow_addresses: ["fe80::1%eth0"] } }', /^expected a CIDR block/],
])('refuses %s', (section, message) => {
  expect(file.problemsOf(`version: 1\n${section}`).map((problem) => problem.message)).toEqual([matching(message)]);
});

test.each([
  '10.0.0.0/8',
  'fd00::/8',
  '127.0.0.1',
  '::1',
  'private',
  'loopback',
  'localhost',
  'billing',
  'billing.internal',
  'api-1.example',
])('allow_addresses takes %s', (entry) => {
  const text = `version: 1\nendpoints: { e: { url: "https://x/", allow_addresses: ["${entry}"] } }`;
  expect(file.load(text).file.definition.endpoints[0]?.allowAddresses).toEqual([entry]);
});

test('a column may have the name of something that every object has', () => {
  const text = 'version: 1\ncapture: [{ table: public.a, key: [constructor], columns: { mask: { email: hash } } }]';
  expect(file.load(text).file.definition.captures[0]?.key).toEqual(['constructor']);
});

test('a header may hold any letters within a tag, where they are encoded', () => {
  const text = 'version: 1\nendpoints: { e: { url: "https://x/", headers: { a: "{{ data.name | default: \'→\' }}" } } }';
  expect(file.load(text).file.definition.endpoints).toHaveLength(1);
});

test('durations are whole milliseconds and sizes whole bytes', () => {
  expect(['250ms', '1.5s', '1.0019s', '5m', '1h', '3d', '1.1d'].map(parseDuration)).toEqual([
    250, 1500, 1002, 300_000, 3_600_000, 259_200_000, 95_040_000,
  ]);
  expect(['7', '7B', '64KiB', '16MiB', '1GiB'].map(parseSize)).toEqual([7, 7, 65_536, 16_777_216, 1_073_741_824]);
  expect(['', '5', 's', '-1s', '1 s', '1w', '1e3s', '.5s'].map(parseDuration)).toEqual(Array(8).fill(null));
  expect(['', 'KiB', '1.5KiB', '-1', '64kb', '64 KiB'].map(parseSize)).toEqual(Array(6).fill(null));
});

test('an empty variable is an unset one, that of the file too', () => {
  expect(loadSettings({ env: { OBSERVERS_CONFIG: '', OBSERVERS_PORT: '' } }).port).toBe(8700);
});

test('config list names the observers file and who chose it', () => {
  expect(describeSettings(file.load('version: 1'))[0]).toMatchObject({ variable: 'OBSERVERS_CONFIG', value: file.path, origin: 'flag' });
});
