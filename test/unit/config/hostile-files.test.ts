import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

const bomb = [
  'a: &a [x,x,x,x,x,x,x,x,x,x]',
  ...'bcdefgh'.split('').map((name, i) => `${name}: &${name} [${Array(10).fill(`*${'abcdefg'[i]}`).join()}]`),
].join('\n');

test.each<[what: string, content: string | Buffer, told: RegExp]>([
  ['aliases that stand for millions of values', `version: 1\n${bomb}`, /stand for too many values/],
  ['thousands of aliases', `version: 1\na: &a x\nb: [${Array(2_000).fill('*a').join()}]`, /more than 1000 aliases/],
  ['a list that contains itself', 'version: 1\nobservers: &o [*o]', /2:16 : \*o contains itself/],
  [
    'a body that contains itself',
    'version: 1\nobservers: [{ name: a, entity: x, actions: [{ type: webhook, url: "https://x/", body: &b { b: *b } }] }]',
    /\*b contains itself/,
  ],
  ['an alias of nothing', 'version: 1\nobservers: *nobody', /2:12 : there is no anchor &nobody/],
  ['ten thousand nested lists', `version: 1\nobservers: ${'['.repeat(10_000)}`, /^2:\d+ : the file is nested too deeply$/],
  ['more than 4 MiB', `version: 1\n#${'x'.repeat(10 * 1024 * 1024)}`, /larger than 4 MiB/],
  ['UTF-16', Buffer.from('\ufeffversion: 1\n', 'utf16le'), /not UTF-8/],
  ['Latin-1', Buffer.from('version: 1\nsettings: { stream: caf\xe9 }\n', 'latin1'), /not UTF-8/],
  ['a key that would set a prototype', 'version: 1\nendpoints: { __proto__: { url: "https://x/" } }', /2:14 : this key is not possible/],
  [
    'a reference without quotes in a flow mapping',
    'version: 1\nendpoints: { e: { url: ${URL} } }',
    /2:24 : within { } and \[ \] a reference is quoted/,
  ],
  ['a list as a key', 'version: 1\n? [a, b]\n: 5', /2:3 : a key is a plain text/],
  ['a tag of another language', 'version: 1\nobservers: !!python/object:os.system x', /2:12/],
  ['two documents', 'version: 1\n---\nversion: 1', /documents/],
  ['a number as a key', 'version: 1\n5: 6', /2:1 5: unknown key "5"/],
  [
    'a merge key of YAML 1.1',
    'version: 1\nendpoints:\n  a: &a { url: "https://x/" }\n  b: { <<: *a, url: "https://y/" }',
    /4:8 endpoints.b.<<: unknown key/,
  ],
])('%s is one clear error', (_what, content, told) => {
  const messages = file.told(content);
  expect(messages).toHaveLength(1);
  expect(messages[0]).toMatch(told);
});

test('a retry policy that 300 observers share by an alias is no bomb', () => {
  const observers = Array.from(
    { length: 300 },
    (_, i) => `  - { name: o${i}, entity: x, retry: ${i === 0 ? '&r { max_attempts: 3 }' : '*r'}, actions: [{ type: log }] }`,
  );
  expect(file.load(`version: 1\nobservers:\n${observers.join('\n')}`).file.definition.observers[299]?.retry.maxAttempts).toBe(3);
});

test('JSON with tabs and a byte order mark is read', () => {
  const json = JSON.stringify({ version: 1, observers: [{ name: 'a', entity: '*', actions: [{ type: 'log' }] }] }, null, '\t');
  expect(file.load(`\ufeff${json}`).file.definition.observers).toHaveLength(1);
});
