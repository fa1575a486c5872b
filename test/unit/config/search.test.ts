import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../../support/certificate';
import { containing, matching } from '../../support/texts';
import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

const URL = { ELASTICSEARCH_URL: 'https://user:CANARY-password@one.example:9200,https://user:CANARY-password@two.example:9200' };
const action = (fields = 'index: orders'): string =>
  `version: 1\nobservers:\n  - { name: a, entity: "*", actions: [{ type: search, ${fields} }] }\n`;

test.each([
  ['id: a', /index: /],
  ['index: Orders', /index: .*lower/],
  ['index: "orders-{{ data.region }}"', /index: /],
  ['index: "../_all"', /index: /],
  ['index: orders, operation: delete, document: { a: b }', /document: a deletion has no document; leave it out/],
  ['index: orders, document: { a: "{{ event.colour }}" }', /document\.a: event has no "colour"/],
  ['index: orders, id: "{{ x"', /id: /],
  ['index: orders, routing: "{{ x"', /routing: /],
  ['index: orders, operation: upsert', /operation: /],
])('%s is refused with its place', (fields, message) => {
  expect(file.told(action(fields), URL)).toEqual([matching(message)]);
});

test('without its server it is refused with the line', () => {
  expect(file.told(action())).toEqual([matching(/^3:.*actions\[0\]\.type: search needs a server: set ELASTICSEARCH_URL/)]);
});

test.each(['search.example:9200', 'ftp://search.example', 'https://a.example?x=1', 'https://a.example,https://user:x@b.example'])(
  'ELASTICSEARCH_URL=%s is refused',
  (value) => {
    expect(file.told('version: 1\n', { ELASTICSEARCH_URL: value })).toEqual([containing('ELASTICSEARCH_URL: expected')]);
  },
);

test('what does not go together is refused', () => {
  const key = { OBSERVERS_ELASTICSEARCH_API_KEY: 'Q0FOQVJZLWtleTp2YWx1ZQ==' };
  expect(file.told(action(), { ...URL, ...key })).toEqual([containing('give one of them')]);
  expect(file.told(action(), { ELASTICSEARCH_URL: 'https://one.example', ...key })).toEqual([]);
});

test('the file with authorities has to be there, to hold some, and to be of use', () => {
  const folder = mkdtempSync(join(tmpdir(), 'observers-search-'));
  const ca = join(folder, 'ca.crt');
  try {
    const told = (url = URL.ELASTICSEARCH_URL): string[] =>
      file.told(action(), { ELASTICSEARCH_URL: url, OBSERVERS_ELASTICSEARCH_CA_FILE: ca });
    expect(told()).toEqual([containing('OBSERVERS_ELASTICSEARCH_CA_FILE: ')]);
    writeFileSync(ca, 'nothing of the kind');
    expect(told()).toEqual([containing('OBSERVERS_ELASTICSEARCH_CA_FILE: ')]);
    writeFileSync(ca, createAuthority().cert);
    expect(told()).toEqual([]);
    expect(told('http://one.example')).toEqual([containing('is for https:// in ELASTICSEARCH_URL')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('no listing shows the password', () => {
  const { settings } = file.load(action(), URL);
  expect(settings.elasticsearchUrl).toHaveLength(2);
  expect(file.told(action('index: orders, operation: upsert'), URL).join()).not.toContain('CANARY');
});
