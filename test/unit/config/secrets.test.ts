import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeSettings } from '../../../src/config/describe';
import { loadSettings } from '../../../src/config/load';
import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

const withAction = (fields: string): string =>
  `version: 1\nobservers:\n  - { name: a, entity: Order, when: "total > 1", actions: [{ ${fields} }] }\n`;
const withWhen = (when: string): string =>
  `version: 1\nobservers:\n  - { name: a, entity: Order, when: ${when}, actions: [{ type: log }] }\n`;

// Long, short, of two words (a compiler's message quotes only one of them), and with the quotes that messages put around values.
const CANARIES = ['CANARY-8f3a-long', 'C4n', 'CANARY8f3a SECOND9c2b', 'CANARY8f3a"SECOND9c2b', 'CANARY8f3a\nSECOND9c2b'];
const WORDS = /CANARY|SECOND|C4n/;

test.each([
  ['a condition', withWhen('"${X} LIKE 5"')],
  ['a piece of a condition', withWhen('"total > ${X} )"')],
  ['a template', withAction('type: log, message: "{{ event.${X} }}"')],
  ['a filter of a template', withAction('type: log, message: "{{ a | ${X} }}"')],
  ['a text of a body', withAction('type: webhook, url: "https://x.example/", body: { k: [{ m: "{{ a | ${X} }}" }] }')],
  ['a header', withAction('type: webhook, url: "https://x.example/", headers: { h: "é ${X}" }')],
  ['a URL', withAction('type: webhook, url: "ftp://${X}"')],
  ['the name of an endpoint', withAction('type: webhook, endpoint: "${X}"')],
  ['a type of action', withAction('type: "${X}"')],
  ['a kind', 'version: 1\nobservers: [{ name: a, entity: x, on: "${X}", actions: [{ type: log }] }]'],
  ['a secret', 'version: 1\nendpoints: { e: { url: "https://x.example/", signing: { secrets: ["${X}"] } } }'],
  ['an address', 'version: 1\nendpoints: { e: { url: "https://x.example/", allow_addresses: ["! ${X}"] } }'],
  ['a key column', 'version: 1\ncapture: [{ table: public.a, key: ["${X}"], columns: { exclude: ["${X}"] } }]'],
  ['two tables of one name', 'version: 1\ncapture: [{ table: "public.${Y}" }, { table: "public.${Y}" }]'],
  [
    'two observers of one name',
    'version: 1\nobservers: [{ name: "${Y}", entity: x, actions: [{ type: log }] }, { name: "${Y}", entity: x, actions: [{ type: log }] }]',
  ],
  ['a setting', 'version: 1\nsettings: { log_level: "${X}" }'],
  [
    'a value that an alias repeats',
    'version: 1\nobservers: [{ name: a, entity: x, when: &w "x ${X} ${X}", actions: [{ type: log }] }, { name: b, entity: x, when: *w, actions: [{ type: log }] }]',
  ],
])('what a reference brought is in no message about %s', (_what, text) => {
  for (const canary of CANARIES) {
    const told = file.told(text, { X: canary, Y: 'CANARY-one-word' });
    expect(told).not.toEqual([]);
    expect(told.join('\n')).not.toMatch(WORDS);
  }
});

test('a message names the reference in place of its value', () => {
  expect(file.told(withAction('type: webhook, endpoint: "${BILLING}"'), { BILLING: 'abc' })).toEqual([
    '3:87 observers[0].actions[0].endpoint: there is no endpoint "${BILLING}"',
  ]);
});

test('what a reference brought is in no warning', () => {
  const { warnings } = file.load('version: 1\nobservers: [{ name: a, entity: "${X}", actions: [{ type: log }] }]', { X: 'C4n' }).file;
  expect(warnings.map(({ message }) => message)).toEqual(['entity "${X}" is not captured by this file']);
});

test('a default stands in the file, so that the reason is told', () => {
  expect(file.told(withWhen('"${X:-total LIKE 5}"')).join()).toContain('LIKE needs a quoted pattern');
});

test.each([
  ['postgres://u:C4n@h/d'],
  ['postgres://u:p@C4n@h/d'],
  ['postgres://u:p:C4n@h/d'],
  ['postgres://u:%43%344n-C4n@h/d'],
  ['postgres://u@h/d?password=C4n'],
  ['postgres://u@h/d?sslmode=require&PASSWORD=C4n&sslpassword=C4n'],
  ['postgresql://u:C4n@[::1]:5433/d?passfile=C4n'],
])('config list hides the password of %s', (url) => {
  const described = describeSettings(file.load('version: 1', { DATABASE_URL: url })).find(({ variable }) => variable === 'DATABASE_URL');
  expect(described?.value).toMatch(/^postgres(ql)?:\/\/u.*@/);
  expect(described?.value).not.toContain('C4n');
});

test('a setting that is wrong in the environment is refused without its value', () => {
  expect(
    file.told('version: 1', { DATABASE_URL: 'mysql://u:C4n@h/d', OBSERVERS_PORT: 'C4n', OBSERVERS_LOG_LEVEL: 'C4n' }).join(),
  ).not.toMatch(WORDS);
});

test('commands that need only settings do without the references of endpoints', () => {
  writeFileSync(file.path, 'version: 1\nsettings: { port: "${PORT}" }\nendpoints: { e: { url: "${BILLING_URL}" } }');
  expect(loadSettings({ env: { PORT: '1' }, configFile: file.path }).port).toBe(1);
  expect(() => loadSettings({ env: {}, configFile: file.path })).toThrow(/settings\.port: the environment variable PORT is not set/);
});

test('unresolved references are told with their path, together with all else, and without what follows from them', () => {
  const text = `version: 1
endpoints:
  e:
    url: \${NO_URL}
    headers: { a: "x \${NO_TOKEN}" }
    timeout: \${NO_TIMEOUT}
    colour: red
observers:
  - { name: a, entity: x, actions: [{ type: webhook, endpoint: "\${NO_NAME}" }, { type: log, level: loud }] }
  - { name: b, entity: x, when: "\${file:nothing}", actions: [{ type: log }] }
`;
  const unset = (name: string): string => `the environment variable ${name} is not set; give it, or write \${${name}:-default}`;
  expect(file.told(text)).toEqual([
    `4:10 endpoints.e.url: ${unset('NO_URL')}`,
    `5:19 endpoints.e.headers.a: ${unset('NO_TOKEN')}`,
    `6:14 endpoints.e.timeout: ${unset('NO_TIMEOUT')}`,
    '7:5 endpoints.e.colour: unknown key "colour"',
    `9:64 observers[0].actions[0].endpoint: ${unset('NO_NAME')}`,
    '9:100 observers[0].actions[1].level: expected one of debug, info, warn, error, not "loud"',
    '10:33 observers[1].when: the file nothing cannot be read: ENOENT',
  ]);
});

test('a reference in a key is refused: it would stay as it is', () => {
  expect(file.told('version: 1\nendpoints:\n  ${NAME}: { url: "https://x.example/" }', { NAME: 'e' })).toEqual([
    '3:3 endpoints.${NAME}: references are filled in in values, not in keys',
  ]);
});

test('an unquoted reference to digits that are no number stays a text', () => {
  const { definition } = file.load('version: 1\nobservers:\n  - name: ${N}\n    entity: x\n    actions: [{ type: log }]', {
    N: '007',
  }).file;
  expect(definition.observers[0]?.name).toBe('007');
});

test('the last newline of a referenced file is taken off, and paths are relative to the observers file', () => {
  writeFileSync(join(file.folder, 'secret'), 'two\nlines\r\n');
  const { definition } = file.load(withAction('type: log, message: "${file:secret}"')).file;
  expect(definition.observers[0]?.actions[0]).toMatchObject({ message: 'two\nlines' });
});
