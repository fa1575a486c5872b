import { compileCondition } from '../../../src/matching/condition/condition';
import { compileLike, compileRegularExpression } from '../../../src/matching/condition/text-patterns';
import { orderEvent, verdictOn } from './order-event';

type Case = readonly [condition: string, verdict: string];

function check(condition: string, data: string, verdict: string): void {
  const actual = verdictOn(condition, orderEvent(data));
  if (verdict.startsWith('error: ')) expect(actual).toContain(verdict);
  else expect(actual).toBe(verdict);
}

const TEXT_ROW =
  '{"sku":"AB-12","other":"AB","n":null,"total":5,"tags":["new","vip",7,12345678901234567890,null,{"a":1}],"emoji":"😀x","quote":"o\'clock","path":"C:\\\\x"}';
const TIME_ROW =
  '{"at":"2026-01-31T10:00:00","date":"2026-01-30","utc":"2026-01-31T10:00:00Z","n":null,"total":5,"text":"order 12","digit":"5","limit":"90m"}';

// prettier-ignore
const VERDICTS: Readonly<Record<'text' | 'time', readonly Case[]>> = {
  text: [
    ["STARTS_WITH(sku,'AB')", 'true'], ["starts_with(sku,'ab')", 'false'], ['STARTS_WITH(sku, other)', 'true'], ["Starts_With(sku,'')", 'true'],
    ["ENDS_WITH(sku,'12')", 'true'], ["ends_with(sku,'13')", 'false'], ["CONTAINS(sku,'B-1')", 'true'], ["contains(sku,'b')", 'false'],
    ["CONTAINS(tags,'vip')", 'true'], ["CONTAINS(tags,'VIP')", 'false'], ['CONTAINS(tags, 7)', 'true'], ["CONTAINS(tags,'7')", 'false'],
    ['CONTAINS(tags, 12345678901234567890)', 'true'], ['CONTAINS(tags, 12345678901234567891)', 'false'], ['CONTAINS(tags, n)', 'unknown'],
    ["STARTS_WITH(n,'a')", 'unknown'], ['ENDS_WITH(sku, nowhere)', 'unknown'], ["CONTAINS(nowhere,'a')", 'unknown'], ["MATCHES(n,'a')", 'unknown'],
    ["STARTS_WITH(total,'5')", 'error: STARTS_WITH needs text, here a number'], ["ends_with(tags,'5')", 'error: ends_with needs text, here a list'],
    ['CONTAINS(sku, total)', 'error: CONTAINS needs text, here a number'], ["MATCHES(total,'5')", 'error: MATCHES needs text'],
    ["MATCHES(sku,'\\d+')", 'true'], ["MATCHES(sku,'^\\d+$')", 'false'], ["matches(sku,'^[A-Z]{2}-')", 'true'], ["MATCHES(sku,'(?i)ab')", 'true'],
    ["MATCHES(emoji,'^.x$')", 'true'], ["quote = 'o''clock'", 'true'], ['quote = "o\'clock"', 'true'], ["path = 'C:\\x'", 'true'],
    ["sku LIKE 'AB%'", 'true'], ["sku like '%12'", 'true'], ["sku LIKE '%-%'", 'true'], ["sku LIKE 'AB-12'", 'true'], ["sku LIKE 'AB'", 'false'],
    ["sku LIKE '_B-1_'", 'true'], ["sku LIKE 'A_'", 'false'], ["sku NOT LIKE 'A%'", 'false'], ["sku LIKE 'ab%'", 'false'], ["emoji LIKE '_x'", 'true'],
    ["n LIKE 'A%'", 'unknown'], ["n NOT LIKE 'A%'", 'unknown'], ["total LIKE '5%'", 'error: LIKE needs text, here a number'], ["NOT sku LIKE 'A%'", 'false'],
    ["sku LIKE '%'", 'true'], ["sku LIKE ''", 'false'], ["path LIKE 'C:\\\\x'", 'true'], ["path LIKE 'C:\\x'", 'false'],
  ],
  time: [
    ["AGE(at) > '1h'", 'true'], ["AGE(at) > '2h'", 'false'], ["AGE(at) >= '2h'", 'true'], ["age(utc) = '120m'", 'true'], ["AGE(date) = '36h'", 'true'],
    ["AGE(at) < '1.5d'", 'true'], ["AGE(at) > '7200000ms'", 'false'], ["AGE(at) = '7200s'", 'true'], ['AGE(at) > limit', 'true'],
    ["AGE(n) > '1h'", 'unknown'], ["AGE(nowhere) > '1h'", 'unknown'], ["AGE(total) > '1h'", 'error: a number is not a time'],
    ['NOW() > at', 'true'], ["NOW() > '2026-01-31T11:59:59Z'", 'true'], ["now() < '2026-01-31T12:00:00.001Z'", 'true'], ["NOW() - '3h' < at", 'true'],
    ["NOW() + '1h' > '2026-01-31T12:59:59Z'", 'true'], ['NOW() > total', 'error: a number is not a time'], ['NOW() > n', 'unknown'],
  ],
};

describe('text functions', () => {
  it.each(VERDICTS.text)('%s is %s', (condition, verdict) => check(condition, TEXT_ROW, verdict));

  it('take a percent sign and an underscore after a backslash as they are', () => {
    expect(verdictOn("rate LIKE '50\\%'", orderEvent('{"rate":"50%"}'))).toBe('true');
    expect(verdictOn("rate LIKE '50\\%'", orderEvent('{"rate":"500"}'))).toBe('false');
    expect(verdictOn("rate LIKE 'a\\_c'", orderEvent('{"rate":"abc"}'))).toBe('false');
  });

  it('let LIKE span line breaks', () => {
    expect(verdictOn("note LIKE 'a_b%z'", orderEvent('{"note":"a\\nb\\n\\nz"}'))).toBe('true');
  });
});

describe('time', () => {
  it.each(VERDICTS.time)('%s is %s', (condition, verdict) => check(condition, TIME_ROW, verdict));

  it.each([
    ['2026-01-31T10:00:00+00:00', 'timestamptz in UTC'],
    ['2026-01-31T10:00:00.123456+00:00', 'timestamptz with microseconds'],
    ['2026-01-31T12:00:00+02:00', 'timestamptz in another zone'],
    ['2026-01-31T04:30:00-05:30', 'timestamptz in a zone of half hours'],
    ['2026-01-31 10:00:00+00', 'timestamptz as text'],
  ])('reads %s, which is how PostgreSQL writes %s', (time) => {
    expect(verdictOn("AGE(at) > '119m' AND AGE(at) <= '2h'", orderEvent(JSON.stringify({ at: time })))).toBe('true');
  });

  it.each([
    ['order 12', 'a word with a number'],
    ['5', 'a digit'],
    ['2026-02-30T10:00:00', 'a day that does not exist'],
    ['Jan 31', 'a date without a year'],
  ])('refuses "%s", %s, instead of guessing a time', (text) => {
    expect(verdictOn("AGE(at) > '1h'", orderEvent(JSON.stringify({ at: text })))).toContain('is not a time');
  });

  it.each(['', 'yesterday', 'finite'])('refuses "%s", which is no time', (text) => {
    expect(verdictOn("AGE(at) > '1h'", orderEvent(JSON.stringify({ at: text })))).toContain('is not a time');
  });

  it('shifts a time by a duration only: the time since a field is AGE, and NOW() - field is refused', () => {
    expect(() => compileCondition("NOW() - at > '1h'")).toThrow("'1h' is not a time");
    expect(verdictOn('NOW() - at > utc', orderEvent(TIME_ROW))).toContain("is not a duration such as '1h'");
  });
});

describe('patterns', () => {
  // Each takes a backtracking engine exponential or cubic time: at these lengths it would not come back within the age of the universe.
  it.each([
    ['^(a+)+$', 'a'.repeat(50_000) + '!'],
    ['^(a|aa)+$', 'a'.repeat(50_000) + '!'],
    ['^(a|a)*$', 'a'.repeat(50_000) + '!'],
    ['(.*a){12}$', 'a'.repeat(2_000) + '!'],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(20_000)],
    ['(x+x+)+y', 'x'.repeat(50_000)],
  ])('MATCHES %s answers on a text made to stall it', (pattern, text) => {
    expect(compileRegularExpression(pattern)(text)).toBe(false);
  });

  it('LIKE with many percent signs answers on a text made to stall it', () => {
    expect(compileLike('%a%a%a%a%a%a%a%a%a%a%b_')('a'.repeat(50_000))).toBe(false);
  });

  it.each(['(a)\\1', '(?=a)b', '(?<!a)b', '(', 'a{2,1}', '[z-a]', '*'])(
    'MATCHES refuses %s, which is no pattern of a linear engine',
    (pattern) => {
      expect(() => compileRegularExpression(pattern)).toThrow();
    },
  );
});
