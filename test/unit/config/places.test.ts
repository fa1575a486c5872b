import { ConfigFile } from './config-file';
import { containing, matching } from '../../support/texts';

const file = new ConfigFile();
afterAll(() => file.remove());

const HEAD = 'version: 1\nobservers:\n  - name: a\n    entity: Order\n    actions: [{ type: log }]\n';
const line = (text: string, number: number): string => text.split('\n')[number - 1] ?? '';

/** The mistake is always the 5 behind LIKE, or the word `wrong`: what stands at the place that is told must be it. */
test.each([
  ['plain', '    when: total LIKE 5'],
  ['in double quotes', '    when: "total LIKE 5"'],
  ['behind an escape', '    when: "name = \'\\u0041\\n\\\\\' AND total LIKE 5"'],
  ['behind a character beyond the basic plane', '    when: "name = \'\\U0001f600😀\' AND total LIKE 5"'],
  ['in single quotes', "    when: 'total LIKE 5'"],
  ['behind doubled quotes', "    when: 'name = ''A'' AND total LIKE 5'"],
  ['in a block', '    when: |\n      total > 1 AND\n      total LIKE 5'],
  ['in a block that strips', '    when: |-\n      total LIKE 5'],
  ['in a block behind a line that begins alike', '    when: |\n      total > 1 OR total > 2 OR\n      total > 1 OR\n      total LIKE 5'],
  ['in a block behind empty lines', '    when: |\n\n      total > 1 AND\n\n      total LIKE 5\n'],
  ['in a block with deeper lines', '    when: |\n      total > 1 AND (\n        total LIKE 5)'],
  ['in folded lines', '    when: >\n      total > 1 AND\n      total LIKE 5'],
  ['in folded lines with CRLF', '    when: >-\r\n      total > 1 AND\r\n      total LIKE 5\r\n'],
  ['in a block with CRLF', '    when: |\r\n      total > 1 AND\r\n      total LIKE 5\r\n'],
])('a mistake in a condition is told at its own place: %s', (_how, when) => {
  const text = HEAD + when;
  const [problem, ...more] = file.problemsOf(text);
  expect(more).toEqual([]);
  expect(problem).toMatchObject({ path: 'observers[0].when', message: containing('LIKE needs a quoted pattern') });
  expect(line(text, problem?.line ?? 0).slice((problem?.column ?? 0) - 1)).toMatch(/^(5|LIKE 5)/);
});

test('where folding leaves no place the text as a whole is named', () => {
  expect(file.told(`${HEAD}    when: total > 1 AND\n      total LIKE 5`)[0]).toMatch(/^6:11 observers\[0\]\.when: LIKE/);
});

test('each text of a body has its own place', () => {
  const text = `version: 1
observers:
  - name: a
    entity: Order
    actions:
      - type: webhook
        url: https://x.example/{{ data.id }
        body:
          one: "{{ data.a }}"
          two: [1, "{{ event.wrong }}"]
          three: { deep: "{{ a | wrong }}" }
`;
  expect(file.told(text)).toEqual([
    matching(/^7:\d+ observers\[0\]\.actions\[0\]\.url: /),
    matching(/^10:24 observers\[0\]\.actions\[0\]\.body\.two\[1\]: /),
    matching(/^11:\d+ observers\[0\]\.actions\[0\]\.body\.three\.deep: undefined filter: wrong/),
  ]);
});

test('a mistake behind an alias is told where it is written, once for each use', () => {
  const text = 'version: 1\nendpoints:\n  a: &a { url: "ftp://x" }\n  b: *a\n';
  expect(file.told(text)).toEqual([
    '3:16 endpoints.a.url: expected a URL that begins with http:// or https://',
    '3:16 endpoints.b.url: expected a URL that begins with http:// or https://',
  ]);
});

test('a malformed part hides neither the rest of its entry nor causes complaints elsewhere', () => {
  const text = `version: 1
endpoints:
  api.v1: { url: "https://x.example/", timeout: soon, concurrency: 0, allow_addresses: ["10.0.0.0/99"] }
observers:
  - { name: a b, entity: x, on: never, when: "x LIKE 5", retry: { strategy: no }, actions: [{ type: webhook, endpoint: api.v1 }] }
`;
  expect(file.told(text).map((told) => told.replace(/: .*/, ''))).toEqual([
    '3:49 endpoints.api.v1.timeout',
    '3:68 endpoints.api.v1.concurrency',
    '3:89 endpoints.api.v1.allow_addresses[0]',
    '5:13 observers[0].name',
    '5:33 observers[0].on',
    matching(/^5:\d+ observers\[0\]\.when$/),
    '5:77 observers[0].retry.strategy',
  ]);
});
