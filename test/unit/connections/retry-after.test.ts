import { execFileSync } from 'node:child_process';
import { transformFileSync } from '@swc/core';
import { parseRetryAfter, retryAfterOf } from '../../../src/connections/http/retry-after';

const NOW = Date.UTC(2026, 10, 27, 12, 0, 0);

test.each([
  ['0', 0],
  ['120', 120_000],
  [' 7 ', 7_000],
  ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
  ['Fri, 27 Nov 2026 12:01:00 GMT', 60_000],
  ['Friday, 27-Nov-26 12:01:00 GMT', 60_000],
  ['Fri Nov 27 12:01:00 2026', 60_000],
  ['Tue Dec  1 12:00:00 2026', 4 * 86_400_000],
  ['Fri, 27 Nov 2026 12:01:00', 60_000],
  ['Fri, 27 Nov 2026 13:01:00 +0100', 60_000],
  ['2026-11-27T12:01:00', 60_000],
  ['2026-11-27T12:01:00.500Z', 60_500],
  ['2026-11-27T13:01:00+01:00', 60_000],
  ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ['-5', null],
  ['1.5', null],
  ['', null],
  ['soon', null],
  ['May 5', null],
  ['12:00', null],
  ['Infinity', null],
])('%s', (value, expected) => expect(parseRetryAfter(value, NOW)).toBe(expected));

test.each([
  [undefined, null],
  ['7', 7_000],
  [['7'], 7_000],
  [['soon', '7'], 7_000],
  [['7', 'Fri, 27 Nov 2026 12:01:00 GMT', '5'], 60_000],
  [['soon', ''], null],
])('a header that stands there more than once asks for the longest: %j', (header, expected) => {
  expect(retryAfterOf(header, NOW)).toBe(expected);
});

test('a date without a zone is GMT where the machine is elsewhere', () => {
  // A process reads its zone once, so this takes another one.
  const options = { jsc: { parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } } as const;
  const { code } = transformFileSync('src/connections/http/retry-after.ts', options);
  const program = `${code}; console.log(new Date(0).getHours(), exports.parseRetryAfter('Fri Nov 27 12:01:00 2026', ${NOW}))`;
  const env = { ...process.env, TZ: 'America/New_York' };
  expect(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }).trim()).toBe('19 60000');
});
