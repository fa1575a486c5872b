import Big from 'big.js';
import * as fc from 'fast-check';
import type { JsonValue } from '../../../src/event/json-document';
import { fractionOf, type Model } from './reference-evaluator';

/** A JSON reader of our own that keeps every number as its text. @throws SyntaxError */
export function readJson(text: string): Model {
  let at = 0;
  const fail = (): never => {
    throw new SyntaxError(`not JSON at ${at}: ${JSON.stringify(text.slice(at, at + 20))}`);
  };
  const skip = (): void => {
    while (' \t\r\n'.includes(text[at] ?? 'x')) at++;
  };
  const take = (pattern: RegExp): string => {
    const sticky = new RegExp(pattern.source, 'yu');
    sticky.lastIndex = at;
    const found = sticky.exec(text)?.[0] ?? fail();
    at += found.length;
    return found;
  };
  const separated = (close: string, one: () => void): void => {
    at++;
    skip();
    if (text[at] === close) return void at++;
    for (;;) {
      one();
      skip();
      if (text[at] === close) return void at++;
      if (text[at++] !== ',') fail();
    }
  };
  // eslint-disable-next-line no-control-regex -- JSON refuses them within a text
  const string = (): string => (skip(), JSON.parse(take(/"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*"/)) as string);
  const value = (): Model => {
    skip();
    const items: Model[] = [];
    const members = new Map<string, Model>();
    switch (text[at]) {
      case '{':
        separated('}', () => {
          const name = string();
          skip();
          if (text[at++] !== ':') fail();
          // The last of two members with one name wins, in the place of the first, as in JSON.parse.
          members.set(name, value());
        });
        return { is: 'object', members: [...members] };
      case '[':
        separated(']', () => items.push(value()));
        return { is: 'list', items };
      case '"':
        return { is: 'text', value: string() };
      case 't':
      case 'f':
        return { is: 'truth', value: take(/true|false/) === 'true' };
      case 'n':
        take(/null/);
        return { is: 'null' };
      default:
        return { is: 'number', text: take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/) };
    }
  };
  const result = value();
  skip();
  return at === text.length ? result : fail();
}

/** What the product made of a document, as a model. */
export function modelOf(value: JsonValue): Model {
  if (value === null) return { is: 'null' };
  if (typeof value === 'boolean') return { is: 'truth', value };
  if (typeof value === 'string') return { is: 'text', value };
  if (typeof value === 'number' || value instanceof Big) return { is: 'number', text: String(value) };
  if (Array.isArray(value)) return { is: 'list', items: (value as readonly JsonValue[]).map(modelOf) };
  return { is: 'object', members: Object.entries(value as Record<string, JsonValue>).map(([name, member]) => [name, modelOf(member)]) };
}

/** Numbers in lowest terms and members by name, so that two models are the same exactly when jest's toEqual says so. */
export function canonical(model: Model): unknown {
  switch (model.is) {
    case 'number':
      return `number ${decimalOf(model.text)}`;
    case 'list':
      return model.items.map(canonical);
    case 'object':
      return new Map([...model.members].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, canonical(value)]));
    case 'null':
      return null;
    default:
      return model.value;
  }
}

/** One decimal spelling for each number: 1.50, 15e-1 and 1.5 become the same text. */
function decimalOf(text: string): string {
  let { n, d } = fractionOf(text);
  while (d > 1n && n % 10n === 0n) [n, d] = [n / 10n, d / 10n];
  return `${n}/${d}`;
}

/** How PostgreSQL, or an application that stores JSON of its own, may write a text. */
// prettier-ignore
const NASTY = [
  '', 'a', '"', '\\', '/', '\n', '\u0000', '\u2028', 'é', '😀', '\uD800', '\uFDD0', '\uFDD0#', '\uFDD0#12', '\uFFFE',
  '12345678901234567890', '1e5', '\\"12345678901234567890', '{{ x }}', '{"a":12345678901234567890}', '__proto__', 'constructor',
  'toString',
];
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...NASTY), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

const number = fc
  .tuple(fc.constantFrom('', '-'), fc.stringMatching(/^(0|[1-9]\d{0,40})(\.\d{1,30})?([eE][+-]?\d{1,3})?$/))
  .map((parts): Model => ({ is: 'number', text: parts.join('') }));

export const anyModel: fc.Arbitrary<Model> = fc.letrec<{ value: Model }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    anyText.map((value): Model => ({ is: 'text', value })),
    number,
    fc.boolean().map((value): Model => ({ is: 'truth', value })),
    fc.constant<Model>({ is: 'null' }),
    fc.array(tie('value'), { maxLength: 4 }).map((items): Model => ({ is: 'list', items })),
    fc.array(fc.tuple(anyText, tie('value')), { maxLength: 4 }).map((members): Model => ({ is: 'object', members })),
  ),
})).value;

/** A model as JSON text with any spacing and any escapes; duplicate members are written as they are. */
export function spellJson(model: Model, roll: (below: number) => number): string {
  const space = (): string => ['', '', '', ' ', '\n', '\t'][roll(6)] as string;
  const text = (value: string): string => {
    if (roll(3) > 0) return JSON.stringify(value);
    const escaped = [...Array(value.length).keys()].map((i) => `\\u${value.charCodeAt(i).toString(16).padStart(4, '0')}`);
    return `"${escaped.join('')}"`;
  };
  const spell = (one: Model): string => {
    switch (one.is) {
      case 'object':
        return `{${space()}${one.members.map(([name, value]) => `${text(name)}${space()}:${space()}${spell(value)}${space()}`).join(`,${space()}`)}}`;
      case 'list':
        return `[${space()}${one.items.map((item) => spell(item) + space()).join(`,${space()}`)}]`;
      case 'text':
        return text(one.value);
      case 'number':
        return one.text;
      case 'null':
        return 'null';
      default:
        return String(one.value);
    }
  };
  return space() + spell(model) + space();
}
