import { describeObservers } from '../../../src/config/describe';
import { ConfigFile } from './config-file';
import { matching } from '../../support/texts';

const file = new ConfigFile();
afterAll(() => file.remove());

const ENDPOINTS = `endpoints:
  plain: { url: "https://x.example/hook" }
  keyed: { url: "https://x.example/{{ entity.key }}" }
  headed: { url: "https://x.example/", headers: { h: "{{ event.id }}" } }
`;
const action = (fields: string): string =>
  `version: 1\n${ENDPOINTS}observers:\n  - { name: a, entity: "*", actions: [{ type: webhook, ${fields} }] }\n`;

test('max and within have defaults, and the description names them', () => {
  const { definition } = file.load(action('endpoint: plain, batch: {}')).file;
  expect(definition.observers[0]?.actions[0]).toMatchObject({ batch: { max: 100, within: 50 } });
  expect(describeObservers(definition)[0]?.actions[0]).toContain('in batches of up to 100 within 50ms');
  const chosen = file.load(action('endpoint: plain, batch: { max: 7, within: 2s }')).file.definition.observers[0]?.actions[0];
  expect(chosen).toMatchObject({ batch: { max: 7, within: 2_000 } });
});

test.each([
  ['method: GET, endpoint: plain, batch: {}', '7:93 observers[0].actions[0].batch: a GET carries no body, and hence no batch'],
  [
    'endpoint: plain, headers: { content-type: text/plain }, body: "x", batch: {}',
    /^7:130 observers\[0\]\.actions\[0\]\.batch: a batch is a JSON array/,
  ],
  [
    'url: "https://x.example/{{ entity.key }}", batch: {}',
    /^7:61 observers\[0\]\.actions\[0\]\.url: the url: with batch it may not hold \{\{ \}\}/,
  ],
  ['endpoint: keyed, batch: {}', /^7:66 observers\[0\]\.actions\[0\]\.endpoint: the url: with batch/],
  ['endpoint: headed, batch: {}', /^7:66 observers\[0\]\.actions\[0\]\.endpoint: the endpoint's header h: with batch/],
  ['endpoint: plain, headers: { h: "{% if x %}1{% endif %}" }, batch: {}', /^7:87 observers\[0\]\.actions\[0\]\.headers\.h: with batch/],
  ['endpoint: plain, headers: { observers-action: x }', /set by the service itself/],
  ['endpoint: plain, batch: { max: 1001 }', /at most 1000/],
  ['endpoint: plain, batch: { within: 11s }', /a duration from 1ms to 10s/],
  ['endpoint: plain, batch: { size: 3 }', /unknown key "size"/],
])('%s is refused with its place', (fields, message) => {
  const told = file.told(action(fields));
  expect(told).toEqual([typeof message === 'string' ? message : matching(message)]);
});

test('a text body whose content type is JSON may be batched, and a structure whatever its type says', () => {
  file.load(action('endpoint: plain, body: "[{{ entity.key | json }}]", batch: {}'));
  file.load(action('endpoint: plain, headers: { content-type: text/plain }, body: { a: 1 }, batch: {}'));
});

test('all actions of an endpoint batch alike, for they share its places', () => {
  const two = (first: string, second: string): string[] =>
    file.told(action(`name: x, endpoint: plain, ${first} }, { name: y, type: webhook, endpoint: plain, ${second}`));
  const expected = [
    matching(/^7:\d+ observers\[0\]\.actions\[1\]\.endpoint: all actions of the endpoint "plain" need the same batch\.max/),
  ];
  expect(two('batch: {}', 'method: PUT')).toEqual(expected);
  expect(two('method: PUT', 'batch: { max: 5 }')).toEqual(expected);
  expect(two('batch: { within: 1s }', 'batch: { max: 100 }')).toEqual([]);
});
