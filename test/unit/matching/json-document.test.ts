import Big from 'big.js';
import { JsonDocument, parseExactJson, stringifyExactJson, type JsonValue } from '../../../src/event/json-document';

const LONG = 12_345_678_901_234_567_890n.toString();

describe('parseExactJson', () => {
  it.each([
    '9007199254740993',
    '-9223372036854775808',
    LONG,
    '0.12345678901234567891',
    '1e400',
    '0.1e-400',
    '123456789012345678901234567890.5',
  ])('keeps %s exact', (text) => {
    const value = (parseExactJson(`{"n":${text}}`) as { n: JsonValue }).n;
    expect(value).toBeInstanceOf(Big);
    expect((value as Big).eq(new Big(text))).toBe(true);
  });

  it.each([
    '0',
    '-1',
    '1.5',
    '9007199254740992',
    '123456789012345',
    '1e5',
    '1E-5',
    '100000000000000000000',
    '0.1',
    '1.10000000000000000000',
  ])('reads %s, which a double holds exactly, as a plain number', (text) => {
    expect((parseExactJson(`{"n":${text}}`) as { n: JsonValue }).n).toBe(Number(text));
  });

  it('leaves digits within texts and names alone', () => {
    const text = `{"a":"${LONG}","${LONG}":"1e400","b\\"${LONG}":${LONG}}`;
    const value = parseExactJson(text) as Record<string, JsonValue>;
    expect(Object.keys(value)).toEqual(
      [LONG, 'a', `b"${LONG}`].sort(
        (x, y) => Object.keys(JSON.parse(text) as object).indexOf(x) - Object.keys(JSON.parse(text) as object).indexOf(y),
      ),
    );
    expect([value['a'], value[LONG]]).toEqual([LONG, '1e400']);
  });

  it('keeps a column called __proto__ as a column, next to long numbers too', () => {
    const value = parseExactJson(`{"__proto__":{"admin":true},"n":${LONG}}`) as Record<string, JsonValue>;
    expect(Object.keys(value)).toEqual(['__proto__', 'n']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    expect(stringifyExactJson(parseExactJson(`{"__proto__":${LONG}}`))).toBe(`{"__proto__":${LONG}}`);
  });

  it('finds a number of sixteen digits wherever it begins', () => {
    for (let at = 0; at < 40; at++) {
      expect(parseExactJson(`${' '.repeat(at)}9007199254740993`)).toBeInstanceOf(Big);
      expect(parseExactJson(`["${'x'.repeat(at)}",-0.12345678901234567,1]`)).toEqual(['x'.repeat(at), new Big('-0.12345678901234567'), 1]);
    }
  });

  it.each(['1e400', '1e400 ', '[1E+400]', '[1e400,1]', '{"a":1e-400}', '{"a":[1e400 ]}'])(
    'finds the number with a large exponent in %s',
    (text) => {
      expect(stringifyExactJson(parseExactJson(text))).toMatch(/0{399}/);
    },
  );

  it('takes the last of two members with one name', () => {
    expect(parseExactJson(`{"a":${LONG},"a":2}`)).toEqual({ a: 2 });
    expect(stringifyExactJson(parseExactJson(`{"a":1,"a":${LONG}}`))).toBe(`{"a":${LONG}}`);
  });

  it('keeps a text that begins with the noncharacter U+FDD0', () => {
    for (const text of ['\uFDD0', '\uFDD0#12', '\uFDD0\uFDD0#1', '\uFDD0x'])
      expect(parseExactJson(`["${text}",${LONG}]`)).toEqual([text, new Big(LONG)]);
  });

  // A json column keeps escapes as the application wrote them.
  it.each(['\\ufdd0#12', '\\uFDD0x', '\\ufdd0#no number', '\\ufdd0'])(
    'keeps a text that begins with U+FDD0 written as the escape in "%s"',
    (escaped) => {
      expect(parseExactJson(`["${escaped}",${LONG}]`)).toEqual([JSON.parse(`"${escaped}"`), new Big(LONG)]);
    },
  );

  it('keeps a member whose name begins with U+FDD0', () => {
    expect(Object.keys(parseExactJson(`{"\uFDD0a":1,"n":${LONG}}`) as object)).toEqual(['\uFDD0a', 'n']);
  });

  it.each([
    '',
    '{',
    '{"a":}',
    `[${LONG}`,
    `[${LONG},]`,
    `{"a":${LONG} 1}`,
    `${LONG}x`,
    `["${LONG}]`,
    `[0${LONG}]`,
    `{${LONG}:1}`,
    `{"a":${LONG},${LONG} :1}`,
    `{${LONG}}`,
    `[--${LONG}]`,
    `[${LONG}.]`,
    `[${LONG}${LONG}e]`,
    '[1e400e400]',
    '[1.e5]',
    '[.1e5]',
    '[+1e5]',
    "['1e5']",
  ])('throws a SyntaxError for %j', (text) => {
    expect(() => parseExactJson(text)).toThrow(SyntaxError);
  });

  it('names the place in the original text, not in one of our making', () => {
    expect(() => parseExactJson(`[${LONG},x]`)).toThrow('..."234567890,x]"');
  });

  it('reads a text of 8 MiB next to a long number: events may have 16 MiB', () => {
    const value = parseExactJson(`{"a":"${'x'.repeat(8 << 20)}","n":${LONG}}`) as { a: string };
    expect(value.a.length).toBe(8 << 20);
  });

  it('reads a nesting of 5,000 next to a long number as it does without one', () => {
    const nested = (inner: string): string => '['.repeat(5_000) + inner + ']'.repeat(5_000);
    expect(() => parseExactJson(nested('1'))).not.toThrow();
    expect(() => parseExactJson(nested(LONG))).not.toThrow();
  });
});

describe('stringifyExactJson', () => {
  it.each([`{"a":[1,${LONG},-0.5,true,null,"x\\n\\"é"],"b":{}}`, '[]', '""', LONG, '{"a b":{"c":[[1]]}}'])(
    'writes %s as it was',
    (text) => {
      expect(stringifyExactJson(parseExactJson(text))).toBe(text);
    },
  );

  it('writes a lone surrogate as an escape, so that the text can be sent as UTF-8', () => {
    expect(stringifyExactJson(parseExactJson('["\\ud800"]'))).toBe('["\\ud800"]');
  });

  it('writes a number with a huge exponent in a few characters, as it was read', () => {
    expect(stringifyExactJson(parseExactJson('[1e1000000]')).length).toBeLessThan(100);
    for (const text of ['[1e1000000,-2.50E-300000000]', '1e12345678901234567890', `1e${'9'.repeat(400)}`])
      expect(stringifyExactJson(parseExactJson(text))).toBe(text);
    expect(stringifyExactJson(new Big('1e100000').times('1e100000'))).toBe('1e+200000');
  });

  it('writes a number of PostgreSQL without an exponent, whatever its length', () => {
    const longest = '9'.repeat(131_072);
    expect(stringifyExactJson(parseExactJson(`[${longest},1e131071]`))).toBe(`[${longest},1${'0'.repeat(131_071)}]`);
  });

  it('writes a nesting of 6,000 that it could read', () => {
    const text = '['.repeat(6_000) + ']'.repeat(6_000);
    expect(stringifyExactJson(parseExactJson(text))).toBe(text);
  });
});

describe('a JSON document', () => {
  it('parses once and only when it is looked into', () => {
    const document = new JsonDocument('{"a":1}');
    expect(document.value).toBe(document.value);
    expect(() => new JsonDocument('not JSON')).not.toThrow();
    expect(() => new JsonDocument('not JSON').value).toThrow(SyntaxError);
  });

  it('that is null is null each time', () => {
    const document = new JsonDocument('null');
    expect([document.value, document.value]).toEqual([null, null]);
  });
});
