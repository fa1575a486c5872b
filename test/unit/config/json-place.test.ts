import fc from 'fast-check';
import { mistakeIn } from '../../../src/admin/http/json-place';

test.each([
  ['{"a": }', 1, 7, 'a value'],
  ['{"a": 1,}', 1, 9, 'the name of a member'],
  ['{a: 1}', 1, 2, 'the name of a member, or }'],
  ['{"a" 1}', 1, 6, ':'],
  ['{"a": 1 "b": 2}', 1, 9, ', or }'],
  ['[1 2]', 1, 4, ', or ]'],
  ['[1,]', 1, 4, 'a value'],
  ['{\n  "a": tru\n}', 2, 8, 'a value'],
  ['{"a": 01}', 1, 7, 'a value'],
  ["{'a': 1}", 1, 2, 'the name of a member, or }'],
  ['{"a": 1', 1, 8, ', or }'],
  ['{"a": "\\x"}', 1, 7, 'a value'],
  ['{} {}', 1, 4, 'the end'],
  ['', 1, 1, 'a value'],
])('%j is wrong at line %d, column %d: %s', (text, line, column, expected) => {
  expect(mistakeIn(text)).toEqual({ line, column, expected });
});

test('what JSON.parse takes has no mistake, and what it refuses has one', () => {
  const parses = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const almost = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', '\\', '1', '-', ' ', 'e', ':'))
    .map(([json, n, put]) => {
      const at = n % (json.length + 1);
      return json.slice(0, at) + put + json.slice(at + 1);
    });
  fc.assert(
    fc.property(fc.oneof(fc.json(), almost, fc.string()), (text) => expect([text, mistakeIn(text) === null]).toEqual([text, parses(text)])),
    { numRuns: 3_000 },
  );
});
