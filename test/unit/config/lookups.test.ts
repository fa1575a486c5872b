import { ConfigFile } from './config-file';
import { matching } from '../../support/texts';

const file = new ConfigFile();
afterAll(() => file.remove());

const LOOKUPS =
  'lookups:\n  customer: { url: "https://crm.example/{{ data.customer_id }}", ttl: 30s, stale_for: 10m }\n  stock: { url: "https://stock.example/" }\n';
const observer = (fields: string, action = 'type: log, message: "{{ lookups.customer.name }}"'): string =>
  `version: 1\n${LOOKUPS}observers:\n  - { name: a, entity: "*", ${fields} actions: [{ ${action} }] }\n`;

test('what an observer lists is linked, with its defaults', () => {
  const { definition } = file.load(observer('lookups: [customer],')).file;
  expect(definition.observers[0]?.lookups).toMatchObject([
    { name: 'customer', ttl: 30_000, staleFor: 600_000, endpoint: { timeout: 2_000, concurrency: 32, circuitBreaker: null } },
  ]);
});

test.each([
  ['', undefined, /actions\[0\]\.message: the observer does not list the look-up: give lookups: \[customer\]$/],
  ['lookups: [custmer],', 'type: log', /lookups\[0\]: there is no look-up "custmer"; did you mean "customer"\?$/],
  [
    'lookups: [stock],',
    'type: log, message: "{{ lookups.stok.x }} {{ lookups.stock }}"',
    /message: there is no look-up "stok"; did you mean "stock"\?$/,
  ],
  ['lookups: [customer, customer],', undefined, /lookups\[1\]: there is another look-up "customer"$/],
  ['when: "HAS_FIELD(lookups.stock)",', 'type: log', /when: the observer does not list the look-up: give lookups: \[stock\]$/],
  [`when: "has_field('lookups.stock.x')",`, 'type: log', /when: the observer does not list the look-up/],
  ['when: "lookups.stock.a IN (1, 2)",', 'type: log', /when: the observer does not list the look-up/],
  ['when: "lookups > 1",', 'type: log', /when: lookups needs a name, such as lookups\.customer\.plan/],
  ['when: "CHANGED(lookups.stock.a)",', 'type: log', /when: .*needs a field of the row/],
  ['lookups: [stock],', 'type: log, message: "{{ lookups }}"', /message: lookups needs a name/],
  ['lookups: [stock],', 'type: log, message: "{% assign x = lookups %}{{ x.customer }}"', /message: lookups needs a name/],
  ['dedup: { window: 1m, key: "{{ lookups.stock.a }}" },', 'type: log', /dedup\.key: the observer does not list the look-up/],
  ['lookups: [],', 'type: log', /lookups: expected at least 1 entries/],
])('%s %s is refused with its place', (fields, action, message) => {
  expect(file.told(observer(fields, action))).toEqual([matching(message)]);
});

test.each([
  ['endpoints: { e: { url: "https://x.example/{{ lookups.customer.id }}" } }', /endpoints\.e\.url: look-ups belong to an observer/],
  [
    'lookups: { a: { url: "https://x.example/{{ lookups.b.id }}" }, b: { url: "https://x.example/" } }',
    /lookups\.a\.url: look-ups belong to an observer/,
  ],
  ['lookups: { a/b: { url: "https://x.example/" } }', /expected a name/],
  ['lookups: { a: { url: "ftp://x.example/" } }', /lookups\.a\.url: expected a URL that begins with http/],
  ['lookups: { a: { url: "https://{{ data.host }}/" } }', /lookups\.a\.url: host and port may not hold a template/],
  ['lookups: { a: { url: "https://x.example/", ttl: 31d } }', /lookups\.a\.ttl: expected a duration of at most 30d/],
  ['lookups: { a: { url: "https://x.example/", circuit_breaker: off } }', /unknown key "circuit_breaker"/],
  ['lookups: { a: { ttl: 1s } }', /lookups\.a\.url: is missing/],
])('%s is refused with its place', (section, message) => {
  expect(file.told(`version: 1\n${section}\n`)).toEqual([matching(message)]);
});

test('a look-up that nothing uses would cost a request for nothing', () => {
  const { warnings } = file.load(observer('lookups: [customer, stock],')).file;
  expect(warnings.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'observers[0].lookups[1]: neither the condition nor an action uses lookups.stock',
  ]);
});
