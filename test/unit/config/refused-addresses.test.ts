import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

describe('an address that is refused on each delivery', () => {
  const warned = (url: string, more = ''): string[] =>
    file
      .load(`version: 1\nendpoints: { a: { url: "${url}"${more} } }\n`)
      .file.warnings.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);

  test('is told with its place and what to write', () => {
    expect(warned('http://10.1.2.3:8080/hook/{{ id }}')).toEqual([
      '2:24 endpoints.a.url: every delivery will be refused: 10.1.2.3 is not a public address but private; if it is meant, allow it: allow_addresses: [private] on endpoint a',
    ]);
  });

  test.each([
    'http://127.0.0.1/',
    'http://[::1]/',
    'http://[fd00::1]/',
    'http://169.254.169.254/',
    'http://0x7f.1/',
    'http://[::ffff:10.0.0.1]/',
    'http://localhost:1/',
    'http://a.localhost/',
    'http://100.64.0.1/',
  ])('%s', (url) => expect(warned(url)).toHaveLength(1));

  test.each([
    ['https://203.0.114.1/', ''],
    ['https://shop.example/', ''],
    ['https://10.example/', ''],
    ['http://10.1.2.3/', ', allow_addresses: [10.0.0.0/8]'],
    ['http://10.1.2.3/', ', allow_addresses: [private]'],
    ['http://10.1.2.3/', ', allow_addresses: [10.1.2.3]'],
    ['http://localhost/', ', allow_addresses: [loopback]'],
    ['http://localhost/', ', allow_addresses: [localhost]'],
    ['http://[::1]/', ', allow_addresses: [loopback]'],
  ])('%s%s is none', (url, more) => expect(warned(url, more)).toEqual([]));

  test('also of an action of its own, a look-up and alerts', () => {
    const text = `version: 1
alerts: { url: "http://10.0.0.1/" }
lookups: { l: { url: "http://10.0.0.2/" } }
observers:
  - { name: a, entity: Order, actions: [{ type: webhook, url: "http://10.0.0.3/" }, { type: slack, url: "http://10.0.0.4/", text: x }] }
`;
    const found = file
      .load(text)
      .file.warnings.filter(({ message }) => message.includes('refused'))
      .map(({ path }) => path);
    expect(found.sort()).toEqual(['alerts.url', 'lookups.l.url', 'observers[0].actions[0].url', 'observers[0].actions[1].url']);
  });
});
