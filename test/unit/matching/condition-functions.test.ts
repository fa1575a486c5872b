import { compileCondition } from '../../../src/matching/condition/condition';
import { compileLike, compileRegularExpression } from '../../../src/matching/condition/text-patterns';
import { orderEvent, verdictOn } from './order-event';

type Row = readonly [condition: string, data: string, verdict: string];

function check(rows: readonly Row[]): void {
  it.each(rows)('%s on %s is %s', (condition, data, verdict) => {
    const actual = verdictOn(condition, orderEvent(data));
    if (verdict.startsWith('error: ')) expect(actual).toContain(verdict);
    else expect(actual).toBe(verdict);
  });
}

describe('text functions', () => {
  const row =
    '{"sku":"AB-12","other":"AB","n":null,"total":5,"tags":["new","vip",7,12345678901234567890,null,{"a":1}],"emoji":"😀x","quote":"o\'clock","path":"C:\\\\x"}';
  check([
    ["STARTS_WITH(sku,'AB')", row, 'true'], ["starts_with(sku,'ab')", row, 'false'], ['STARTS_WITH(sku, other)', row, 'true'], ["Starts_With(sku,'')", row, 'true'],
    ["ENDS_WITH(sku,'12')", row, 'true'], ["ends_with(sku,'13')", row, 'false'], ["CONTAINS(sku,'B-1')", row, 'true'], ["contains(sku,'b')", row, 'false'],
    ["CONTAINS(tags,'vip')", row, 'true'], ["CONTAINS(tags,'VIP')", row, 'false'], ['CONTAINS(tags, 7)', row, 'true'], ["CONTAINS(tags,'7')", row, 'false'],
    ['CONTAINS(tags, 12345678901234567890)', row, 'true'], ['CONTAINS(tags, 12345678901234567891)', row, 'false'], ['CONTAINS(tags, n)', row, 'unknown'],
    ["STARTS_WITH(n,'a')", row, 'unknown'], ['ENDS_WITH(sku, nowhere)', row, 'unknown'], ["CONTAINS(nowhere,'a')", row, 'unknown'], ["MATCHES(n,'a')", row, 'unknown'],
    ["STARTS_WITH(total,'5')", row, 'error: STARTS_WITH needs text, here a number'], ["ends_with(tags,'5')", row, 'error: ends_with needs text, here a list'],
    ['CONTAINS(sku, total)', row, 'error: CONTAINS needs text, here a number'], ["MATCHES(total,'5')", row, 'error: MATCHES needs text'],
    ["MATCHES(sku,'\\d+')", row, 'true'], ["MATCHES(sku,'^\\d+$')", row, 'false'], ["matches(sku,'^[A-Z]{2}-')", row, 'true'], ["MATCHES(sku,'(?i)ab')", row, 'true'],
    ["MATCHES(emoji,'^.x$')", row, 'true'], ["quote = 'o''clock'", row, 'true'], ['quote = "o\'clock"', row, 'true'], ["path = 'C:\\x'", row, 'true'],
    ["sku LIKE 'AB%'", row, 'true'], ["sku like '%12'", row, 'true'], ["sku LIKE '%-%'", row, 'true'], ["sku LIKE 'AB-12'", row, 'true'], ["sku LIKE 'AB'", row, 'false'],
    ["sku LIKE '_B-1_'", row, 'true'], ["sku LIKE 'A_'", row, 'false'], ["sku NOT LIKE 'A%'", row, 'false'], ["sku LIKE 'ab%'", row, 'false'], ["emoji LIKE '_x'", row, 'true'],
    ["n LIKE 'A%'", row, 'unknown'], ["n NOT LIKE 'A%'", row, 'unknown'], ["total LIKE '5%'", row, 'error: LIKE needs text, here a number'], ["NOT sku LIKE 'A%'", row, 'false'],
    ["sku LIKE '%'", row, 'true'], ["sku LIKE ''", row, 'false'], ["path LIKE 'C:\\\\x'", row, 'true'], ["path LIKE 'C:\\x'", row, 'false'],
  ]); // prettier-ignore

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
  const row =
    '{"at":"2026-01-31T10:00:00","date":"2026-01-30","utc":"2026-01-31T10:00:00Z","n":null,"total":5,"text":"order 12","digit":"5","limit":"90m"}';
  check([
    ["AGE(at) > '1h'", row, 'true'], ["AGE(at) > '2h'", row, 'false'], ["AGE(at) >= '2h'", row, 'true'], ["age(utc) = '120m'", row, 'true'], ["AGE(date) = '36h'", row, 'true'],
    ["AGE(at) < '1.5d'", row, 'true'], ["AGE(at) > '7200000ms'", row, 'false'], ["AGE(at) = '7200s'", row, 'true'], ['AGE(at) > limit', row, 'true'],
    ["AGE(n) > '1h'", row, 'unknown'], ["AGE(nowhere) > '1h'", row, 'unknown'], ["AGE(total) > '1h'", row, 'error: a number is not a time'],
    ['NOW() > at', row, 'true'], ["NOW() > '2026-01-31T11:59:59Z'", row, 'true'], ["now() < '2026-01-31T12:00:00.001Z'", row, 'true'], ["NOW() - '3h' < at", row, 'true'],
    ["NOW() + '1h' > '2026-01-31T12:59:59Z'", row, 'true'], ['NOW() > total', row, 'error: a number is not a time'], ['NOW() > n', row, 'unknown'],
  ]); // prettier-ignore

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

  it.each(['infinity', '-infinity', '', 'yesterday'])('refuses "%s", which is no time', (text) => {
    expect(verdictOn("AGE(at) > '1h'", orderEvent(JSON.stringify({ at: text })))).toContain('is not a time');
  });

  it('shifts a time by a duration only: the time since a field is AGE, and NOW() - field is refused', () => {
    expect(() => compileCondition("NOW() - at > '1h'")).toThrow("'1h' is not a time");
    expect(verdictOn('NOW() - at > utc', orderEvent(row))).toContain("is not a duration such as '1h'");
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
