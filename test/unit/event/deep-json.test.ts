import Big from 'big.js';
import { Redaction } from '../../../src/config/redaction';
import { merge } from '../../../src/connections/elasticsearch/merge';
import { parseSpelledJson, stringifyExactJson, type JsonValue } from '../../../src/event/json-document';
import { jsonText } from '../../../src/event/json-text';
import { changedNothing } from '../../../src/matching/changes';
import { sameJson } from '../../../src/matching/condition/values';
import { orderUpdate, verdictOn } from '../matching/order-event';

const DEEP = 100_000;
const objects = (inner: string): string => `${'{"a":'.repeat(DEEP)}${inner}${'}'.repeat(DEEP)}`;
const lists = (inner: string): string => `${'['.repeat(DEEP)}${inner}${']'.repeat(DEEP)}`;

describe('values that are nested 100,000 deep', () => {
  it.each([
    ['objects', objects],
    ['lists', lists],
  ])('are compared: %s', (_, nested) => {
    const [value, same, other] = [nested('4.90'), nested('4.9'), nested('5')].map(parseSpelledJson) as [JsonValue, JsonValue, JsonValue];
    expect(sameJson(value, same)).toBe(true);
    expect(sameJson(value, other)).toBe(false);
  });

  it('are compared in conditions, and an update of them is known to change nothing', () => {
    const before = `{"x":${objects('4.90')},"n":1}`;
    const after = `{"n":1,"x":${objects('4.9')}}`;
    expect(changedNothing(orderUpdate(before, after))).toBe(true);
    expect(verdictOn('CHANGED(x)', orderUpdate(before, after))).toBe('false');
    expect(verdictOn('x = before.x AND NOT CHANGED(x)', orderUpdate(before, after))).toBe('true');
    expect(verdictOn('CHANGED(x)', orderUpdate(before, `{"x":${objects('5')}}`))).toBe('true');
    expect(verdictOn('CONTAINS(x, before.x)', orderUpdate(`{"x":${lists('1')}}`, `{"x":[${lists('1')}]}`))).toBe('true');
  });

  it('are merged', () => {
    const [into, change] = [parseSpelledJson(objects('{"b":1.10}')), parseSpelledJson(objects('{"c":2}'))] as [never, never];
    expect(stringifyExactJson(merge(into, change))).toBe(objects('{"b":1.10,"c":2}'));
    expect(stringifyExactJson(into)).toBe(objects('{"b":1.10}'));
  });

  it('are written, with lines and without', () => {
    const value = parseSpelledJson(`{"x":${objects('[4.90,null]')},"y":${lists('"é"')}}`);
    expect(jsonText(value)).toBe(stringifyExactJson(value));
    expect(jsonText(value, 2).replaceAll(/\s/g, '')).toBe(stringifyExactJson(value));
    expect(jsonText(value, 2).length).toBeLessThan(3_000_000);
  });

  it('are redacted', () => {
    const outside = [{ reference: '${TOKEN}', value: 'secret-token' }];
    const redaction = new Redaction([{ raw: 'Bearer ${TOKEN}', text: 'Bearer secret-token', outside }]);
    const value = parseSpelledJson(objects('["Bearer secret-token",4.90]'));
    expect(stringifyExactJson(redaction.all(value, []))).toBe(objects('["Bearer ${TOKEN}",4.90]'));
    expect(stringifyExactJson(value)).toBe(objects('["Bearer secret-token",4.90]'));
  });
});

describe('jsonText', () => {
  it.each([undefined, 2, 4])('writes what JSON.stringify writes, indented by %s', (indent) => {
    const value = {
      a: [1, [], {}, [[]], { b: {} }],
      d: new Date(0),
      u: undefined,
      f: () => 1,
      l: [undefined, NaN, 'é"\n'],
      n: null,
      t: true,
      '"': -0,
    };
    expect(jsonText(value, indent)).toBe(JSON.stringify(value, null, indent));
    expect(jsonText([], indent)).toBe('[]');
    expect(jsonText('x', indent)).toBe('"x"');
  });

  it('and numbers with their digits', () => {
    expect(jsonText({ a: parseSpelledJson('[4.90,12345678901234567890]'), b: new Big('0.1') })).toBe(
      '{"a":[4.90,12345678901234567890],"b":0.1}',
    );
    expect(jsonText(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
  });
});
