import { compileCondition, ConditionSyntaxError } from '../../../src/matching/condition/condition';
import { Matcher } from '../../../src/matching/matcher';
import { explanationOf, orderEvent, orderUpdate, verdictOn } from './order-event';

/** What is compared with the column `at` of a row, as PostgreSQL writes it in JSON. */
const on = (at: unknown, condition: string): string => verdictOn(condition, orderEvent(JSON.stringify({ at })));

/** Texts that are one point in time, in each spelling that PostgreSQL, RFC 3339 and people have for it. */
const SAME: readonly (readonly string[])[] = [
  [
    '2026-02-01T00:00:00+00:00',
    '2026-02-01T00:00:00Z',
    '2026-02-01t00:00:00z',
    '2026-02-01T00:00:00',
    '2026-02-01T00:00',
    '2026-02-01',
    ' 2026-02-01 ',
    '2026-02-01Z',
    '2026-02-01 00:00:00+00',
    '2026-02-01  00:00:00 UTC',
    '2026-02-01 00:00:00.000000 +0000',
    '2026-01-31T24:00:00Z',
    '2026-01-31T23:59:60Z',
    '2026-02-01T05:30:00+05:30',
    '2026-01-31T19:00:00-05',
    '2026-02-01T00:19:32+00:19:32',
    '+002026-02-01T00:00:00Z',
    '2026-2-1',
  ],
  ['2026-02-01T00:00:00.5+00:00', '2026-02-01T00:00:00.500000Z', '2026-02-01 02:00:00.50+02'],
  ['2026-02-01T00:00:00.123456+00:00', '2026-02-01T00:00:00.123456000Z'],
  ['10000-01-01T00:00:00+00:00', '10000-01-01', '+010000-01-01T00:00:00Z'],
  ['0044-03-15T00:00:00+00:00 BC', '0044-03-15 BC', '-000043-03-15T00:00:00Z'],
  ['294276-12-31T23:59:59.999999+00:00', '294276-12-31 23:59:59.999999+00'],
  ['10:00:00', '10:00', '10:00:00.000', '10:00:00+00', '12:00:00+02', '04:30:00-05:30', ' 10:00:00Z '],
  ['24:00:00', '24:00', '23:59:60'],
];

/** Each before the next. */
const RISING: readonly string[] = [
  '-infinity',
  '4713-01-01T00:00:00+00:00 BC',
  '0044-03-15T00:00:00+00:00 BC',
  '0001-12-31T00:00:00+00:00 BC',
  '0001-01-01',
  '0099-12-31T00:00:00+00:00',
  '1969-12-31T23:59:59.999999+00:00',
  '1970-01-01T00:00:00+00:00',
  '2026-02-01T00:00:00.1+00:00',
  '2026-02-01T00:00:00.123455+00:00',
  '2026-02-01T00:00:00.123456Z',
  '2026-02-01T00:00:01-00:00',
  '2026-02-01T00:00:00-01:00',
  '9999-12-31T23:59:59.999999+00:00',
  '10000-01-01T00:00:00Z',
  '294276-12-31T23:59:59.999999+00:00',
  '5874897-12-31',
  'infinity',
];
const CLOCKS: readonly string[] = ['00:00:00', '10:00:00+01', '9:30', '10:00:00', '10:00:00.25', '10:00:00-01', '24:00:00', '100:00:00'];

const pairs = SAME.flatMap((texts) => texts.flatMap((a) => texts.map((b) => [a, b] as const))).filter(([a, b]) => a !== b);
const rising = [RISING, CLOCKS].flatMap((texts) => texts.slice(1).map((later, i) => [texts[i] ?? '', later] as const));

describe('a time column beside a quoted time', () => {
  it('is at or after that very instant, however both are written', () => {
    for (const [at, literal] of pairs) {
      const answers = ['=', '>=', '<=', '<>', '<', '>'].map((operator) => on(at, `at ${operator} '${literal}'`));
      expect([at, literal, ...answers]).toEqual([at, literal, 'true', 'true', 'true', 'false', 'false', 'false']);
    }
  });

  it.each(rising)('%s comes before %s', (earlier, later) => {
    expect(on(earlier, `at < '${later}' AND NOT at >= '${later}' AND at <> '${later}' AND NOT at IN ('${later}')`)).toBe('true');
    expect(on(later, `at > '${earlier}' AND '${earlier}' < at AND NOT at = '${earlier}'`)).toBe('true');
  });

  it('is found by IN, and not by NOT IN', () => {
    const at = '2026-02-01T00:00:00+00:00';
    expect(on(at, "at IN ('2025-01-01', '2026-02-01T00:00:00Z')")).toBe('true');
    expect(on(at, "at NOT IN ('2026-02-01T01:00:00+01')")).toBe('false');
    expect(on(at, "CONTAINS(list, '2026-02-01')")).toBe('unknown');
    expect(on([at], "CONTAINS(at, '2026-02-01T00:00:00Z')")).toBe('true');
    expect(on([at], "CONTAINS(at, '2026-02-01T00:00:01Z')")).toBe('false');
  });

  it('is compared with the row as it was, with other columns and with look-ups in the same way', () => {
    const event = orderUpdate('{"at":"2026-02-01T02:00:00+02:00"}', '{"at":"2026-02-01T00:00:00+00:00","b":"2026-02-01 00:00:00.1"}');
    const looked = { ...event, lookups: { shop: { opened: '2026-02-01T00:00:00.000Z' } } };
    expect(verdictOn('at = before.at AND at < b AND at >= lookups.shop.opened', looked)).toBe('true');
    const changed = orderUpdate('{"at":"2026-01-01T00:00:00+00:00"}', '{"at":"2026-02-01T00:00:00+00:00"}');
    expect(verdictOn("CHANGED_TO(at, '2026-02-01T00:00:00Z') AND CHANGED_FROM(at, '2026-01-01')", changed)).toBe('true');
    expect(verdictOn("event.timestamp = '2026-01-31T11:00:00.123456+01:00'", event)).toBe('true');
  });

  it.each([
    ['-1 days -02:03:04', '-02:00:00'],
    ['-02:00:00', '-01:00:00.5'],
    ['-01:00:00.5', '-01:00:00'],
    ['-00:00:00.25', '00:00:00'],
    ['9:30', '1 day'],
    ['23:59:59', '1 day 00:00:00.1'],
    ['1 day 02:00:00', '26:00:01'],
    ['2 days', '10 days'],
    ['29 days', '1 mon'],
    ['-1 mons +3 days', '-1 mons +4 days'],
    ['11 mons 29 days', '1 year'],
    ['90 minutes', '02:00:00'],
  ])('an interval has an order: %s comes before %s', (shorter, longer) => {
    expect(on(shorter, `at < '${longer}' AND at <> '${longer}' AND NOT at >= '${longer}'`)).toBe('true');
    expect(on(longer, `at > '${shorter}' AND NOT at = '${shorter}'`)).toBe('true');
  });

  it.each([
    ['1 day 02:00:00', '26:00:00'],
    ['1 mon', '30 days'],
    ['1 year', '12 mons'],
    ['-1 days +02:00:00', '-22:00:00'],
    ['02:00:00', '2h'],
    ['3 days', '3d'],
    ['00:00:00.25', '250ms'],
  ])('an interval is the same in each spelling: %s and %s', (at, literal) => {
    expect(on(at, `at = '${literal}' AND at >= '${literal}' AND at IN ('${literal}')`)).toBe('true');
  });

  it.each([
    ['5m', "at = '300s'", 'false'],
    ['5m', "at < '10m'", 'false'],
    ['12 Main Street', "at < '9 Main Street'", 'true'],
    ['3 days of rain', "at < '12 days'", 'false'],
  ])('what is no interval is a text: %s, %s is %s', (at, condition, verdict) => {
    expect(on(at, condition)).toBe(verdict);
  });

  it.each([
    ['order 12', "at < 'order 2'", 'true'],
    ['2026-02-01', "at <> 'paid'", 'true'],
    ['2026-02-01-05', "at = '2026-02-01'", 'false'],
    ['7732-18-5', "at = '7732-18-5'", 'true'],
    ['2026-02-30', "at < '2026-02-4'", 'true'],
    ['10:00:00', "at < '2026-02-01'", 'true'],
    ['infinity', "at = 'finite'", 'false'],
    ['16:09', "at = '16:9'", 'false'],
    ['1 day 02:00:00', "at < '2 days'", 'true'],
  ])('is a text where the other is none: %s, %s is %s', (at, condition, verdict) => {
    expect(on(at, condition)).toBe(verdict);
  });
});

describe('infinity, years beyond 9999 and before Christ', () => {
  it.each([
    ['infinity', 'at > NOW()'],
    ['-infinity', 'at < NOW()'],
    ['infinity', "AGE(at) < '0s'"],
    ['-infinity', "AGE(at) > '100000d'"],
    ['infinity', 'AGE(at) = AGE(at)'],
    ['infinity', "NOW() - '3d' < at"],
    ['10000-01-01T00:00:00+00:00', 'at > NOW()'],
    ['0044-03-15T00:00:00+00:00 BC', "AGE(at) > '700000d'"],
    ['2026-01-31T11:59:59.999999+00:00', "AGE(at) > '0s' AND AGE(at) < '0.01ms'"],
    ['2026-01-31T11:59:59.999+00:00', "at = NOW() - '1ms'"],
  ])('%s: %s', (at, condition) => {
    expect(on(at, condition)).toBe('true');
  });

  it('a time of the day is no point in time', () => {
    expect(on('10:00:00', 'at < NOW()')).toContain('is not a time');
    expect(on('10:00:00', "AGE(at) > '1h'")).toContain('is not a time');
  });

  it('explain shows a time of any year', () => {
    const shown = (condition: string): string => explanationOf(condition, orderEvent('{"at":"infinity"}')).children[0]?.value ?? '';
    expect(shown("NOW() + '3000000d' > at")).toBe('10239-10-22T12:00:00.000Z');
    expect(shown("NOW() - '1000000d' < at")).toBe('0713-03-05T12:00:00.000Z BC');
    expect(shown("NOW() - '0.001ms' < at")).toBe('2026-01-31T11:59:59.999999Z');
    expect(shown('NOW() < at')).toBe('2026-01-31T12:00:00.000Z');
  });
});

describe('a quoted text that looks like a time and is none', () => {
  it.each([
    ["at > '2026-02-30'", 6],
    ["at = '2026-13-01T00:00:00Z'", 6],
    ["'2026-02-29' <> at", 1],
    ["at IN ('2026-02-28', '2026-02-29')", 22],
    ["at >= '2026-02-01T25:00:00Z'", 7],
    ["at >= '2026-02-01T24:00:01Z'", 7],
    ["at >= '2026-02-01 10:60'", 7],
    ["at >= '2026-02-01T00:00:00+24:00'", 7],
    ["at >= '2026-02-01T00:00:00 CET'", 7],
    ["at >= '2026-02-01T'", 7],
    ["at >= '20260201T000000Z'", 7],
    ["at >= '2026/02/01'", 7],
    ["at >= '01.02.2026 10:00'", 7],
    ["at < '10:61:00'", 6],
    ["at < '25:00:00+01'", 6],
    ["at < '0000-01-01 BC'", 6],
    ["CHANGED_TO(at, '2026-02-30')", 16],
    ["at >= '2026-02-01 10'", 7],
    ["at = '2026-02-01 10'", 6],
    ["at >= '2026-2-30'", 7],
    ["at < '2026-13-1 10:00'", 6],
    ["at >= '1.2.2026'", 7],
    ["at >= '01-02-2026'", 7],
    ["at >= '1-Feb-2026'", 7],
    ["at >= '2/1/26'", 7],
    ["at >= 'Feb 1, 2026'", 7],
    ["at >= '1 February 2026 10:00'", 7],
    ["at >= 'Sun, 01 Feb 2026 10:00:00 GMT'", 7],
    ["at >= 'today'", 7],
    ["at < 'NOW'", 6],
    ["at > 'yesterday'", 6],
    ["at < '9:30 PM'", 6],
    ["at < '10:00:00 a.m.'", 6],
  ])('is refused when the condition is loaded: %s', (source, column) => {
    const error = refusalOf(source);
    expect(error).toMatchObject({
      line: 1,
      column,
      message: expect.stringContaining('is not a time, although it looks like one') as string,
    });
  });

  it.each([
    ["AGE('2026-02-30') > '1h'", "1:5 '2026-02-30' is not a time"],
    ["NOW() > '2026-02-30'", "1:9 '2026-02-30' is not a time"],
    ["'2026-02-30' - NOW() < '3d'", "1:1 '2026-02-30' is neither a time nor a duration such as '1h' or '30s'"],
  ])('beside a time and within AGE too: %s', (source, told) => {
    const error = refusalOf(source);
    const { line, column, message } = error;
    expect(`${line}:${column} ${message}`).toContain(told);
  });

  it.each([
    "code = '2026/02/17'",
    "status = 'today'",
    "status IN ('now', 'tomorrow')",
    "name > 'epochs'",
    "name >= 'May'",
    "code = '2026-2-30'",
    "AGE('2026-01-31') > '1h'",
    "'2026-12-31' - NOW() < '3d'",
    "code = '2026-13-1'",
    "code IN ('1310-73-2')",
    "version >= '1.2.3'",
    "code > '2026-02-01-A17'",
    "STARTS_WITH(at, '2026-13')",
    "at LIKE '2026-13-01%'",
    "span > '36:00:00'",
    "score = '3:75'",
  ])('and what does not is not: %s', (source) => {
    expect(() => compileCondition(source)).not.toThrow();
  });
});

test('a version on record that compared times as texts is read as it was', () => {
  const observer = (timesAsText: boolean): ConstructorParameters<typeof Matcher>[0] => [
    {
      name: 'a',
      mode: 'live',
      entities: ['Order'],
      kinds: ['insert'],
      columns: null,
      ignoreUnchanged: true,
      when: "at >= '2026-02-01T00:00:00Z'",
      timesAsText,
      lookups: [],
      strictTemplates: false,
      ordering: 'none',
      dedup: null,
      onFailure: 'dlq',
      retry: { strategy: 'fixed', maxAttempts: 1, initialDelay: 0, maxDelay: 0, maxElapsed: null, schedule: [] },
      actions: [],
    },
  ];
  const event = orderEvent('{"at":"2026-02-01T00:00:00+00:00"}');
  expect(new Matcher(observer(true)).match(event, 0)).toMatchObject([{ matched: false }]);
  expect(new Matcher(observer(false)).match(event, 0)).toMatchObject([{ matched: true }]);
  expect(() => compileCondition("at > '2026-02-30'", true)).not.toThrow();
});

/** What is wrong with a condition that is refused when it is loaded. */
function refusalOf(source: string): ConditionSyntaxError {
  let error: unknown;
  try {
    compileCondition(source);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConditionSyntaxError);
  return error as ConditionSyntaxError;
}
