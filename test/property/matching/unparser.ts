import type { Comparison, Expression, Model, ModelEvent, Steps } from './reference-evaluator';
import type { EntityEvent } from '../../../src/event/entity-event';
import { JsonDocument } from '../../../src/event/json-document';

/** Answers a number from 0 to `below` - 1. */
export type Dice = (below: number) => number;

/** Mulberry32: the same seed gives the same spelling, so that a counter-example can be repeated. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const BINDING = { or: 1, and: 2, not: 3, compare: 4, sum: 5, product: 6, sign: 7, atom: 8 } as const;

/** A tree as text, in any of its spellings; parentheses where the precedence needs them, and sometimes where it does not. */
export function unparse(expression: Expression, roll: Dice): string {
  return joinTokens(tokensOf(expression, roll), roll);
}

function tokensOf(e: Expression, roll: Dice): string[] {
  const inside = (child: Expression, atLeast: number): string[] => {
    const tokens = tokensOf(child, roll);
    return bindingOf(child) < atLeast || roll(8) === 0 ? ['(', ...tokens, ')'] : tokens;
  };
  switch (e.op) {
    case 'literal':
      return [literal(e.value, roll)];
    case 'path':
      return pathTokens(e.steps, roll);
    case 'or':
      return [...inside(e.left, BINDING.or), oneOf(roll, word('or', roll), '||'), ...inside(e.right, BINDING.and)];
    case 'and':
      return [...inside(e.left, BINDING.and), oneOf(roll, word('and', roll), '&&'), ...inside(e.right, BINDING.not)];
    case 'not':
      return [oneOf(roll, word('not', roll), '!'), ...inside(e.operand, BINDING.not)];
    case 'minus':
      return ['-', ...inside(e.operand, BINDING.atom)];
    case 'compare':
      return [...inside(e.left, BINDING.sum), comparison(e.how, roll), ...inside(e.right, BINDING.sum)];
    case 'arithmetic': {
      const own = bindingOf(e);
      return [...inside(e.left, own), e.how, ...inside(e.right, own + 1)];
    }
    case 'in':
      return [
        ...inside(e.left, BINDING.sum),
        ...notIf(e.negated, roll),
        word('in', roll),
        ...commaList(e.items.map((item) => inside(item, BINDING.sum))),
      ];
    case 'like':
      return [...inside(e.left, BINDING.sum), ...notIf(e.negated, roll), word('like', roll), quoted(e.pattern, roll)];
    case 'null test':
      return [...inside(e.operand, BINDING.sum), word('is', roll), ...notIf(e.negated, roll), word('null', roll)];
    case 'text test':
      return [word(`${e.how === 'contains' ? 'contains' : `${e.how}_with`}`, roll), ...commaList([inside(e.left, 0), inside(e.right, 0)])];
    case 'has field':
      return [word('has_field', roll), ...commaList([[field(e.steps, roll)]])];
    case 'changed': {
      const name = `${oneOf(roll, 'changed', 'field_changed')}${e.from ? '_from' : e.to ? '_to' : ''}`;
      const wanted = e.from ?? e.to;
      return [word(name, roll), ...commaList([[field(e.steps, roll)], ...(wanted ? [inside(wanted, 0)] : [])])];
    }
  }
}

function bindingOf(e: Expression): number {
  switch (e.op) {
    case 'or':
    case 'and':
    case 'not':
    case 'compare':
      return BINDING[e.op];
    case 'in':
    case 'like':
    case 'null test':
      return BINDING.compare;
    case 'arithmetic':
      return e.how === '+' || e.how === '-' ? BINDING.sum : BINDING.product;
    case 'minus':
      return BINDING.sign;
    default:
      return BINDING.atom;
  }
}

function commaList(items: readonly string[][]): string[] {
  return ['(', ...items.flatMap((item, i) => (i === 0 ? item : [',', ...item])), ')'];
}

function notIf(negated: boolean, roll: Dice): string[] {
  return negated ? [word('not', roll)] : [];
}

function comparison(how: Comparison, roll: Dice): string {
  return how === '=' ? oneOf(roll, '=', '==') : how === '<>' ? oneOf(roll, '<>', '!=') : how;
}

/** `AND`, `and`, `aNd`. */
function word(text: string, roll: Dice): string {
  const style = roll(3);
  if (style === 0) return text.toUpperCase();
  return style === 1 ? text : [...text].map((c) => (roll(2) ? c.toUpperCase() : c)).join('');
}

function literal(value: Model, roll: Dice): string {
  if (value.is === 'text') return quoted(value.value, roll);
  if (value.is === 'truth') return word(String(value.value), roll);
  if (value.is === 'number') return value.text;
  throw new Error(`there is no literal for ${value.is}`);
}

function quoted(text: string, roll: Dice): string {
  const quote = oneOf(roll, "'", '"');
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
}

function pathTokens(steps: Steps, roll: Dice): string[] {
  return steps.flatMap((step, i) => {
    if (i === 0) return [String(step)];
    if (typeof step === 'number') return ['[', String(step), ']'];
    return roll(4) === 0 ? ['[', quoted(step, roll), ']'] : ['.', step];
  });
}

/** The argument that names a field: a path or a quoted path. */
function field(steps: Steps, roll: Dice): string {
  const path = steps.map((step, i) => (i === 0 ? step : typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return oneOf(roll, path, quoted(path, roll));
}

function oneOf(roll: Dice, ...choices: readonly string[]): string {
  return choices[roll(choices.length)] as string;
}

const SPACES = [' ', '  ', '\n', '\t', ' \n ', '\r\n'];
const WORD_CHARACTER = /[\p{L}\p{N}_$.]/u;

function joinTokens(tokens: readonly string[], roll: Dice): string {
  let text = '';
  for (const token of tokens) {
    const glued = WORD_CHARACTER.test(text.at(-1) ?? '') && WORD_CHARACTER.test(token[0] ?? '') && text.at(-1) !== '.' && token !== '.';
    // Two quotes in a row would read as one quote within a text.
    const quotes = /['"]$/.test(text) && /^['"]/.test(token);
    if (glued || quotes || roll(2)) text += oneOf(roll, ...SPACES);
    text += token;
  }
  return text;
}

/** The JSON text of a model, with the digits of its numbers as they are. */
export function jsonOf(model: Model): string {
  switch (model.is) {
    case 'null':
      return 'null';
    case 'number':
      return model.text;
    case 'list':
      return `[${model.items.map(jsonOf).join(', ')}]`;
    case 'object':
      return `{${model.members.map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`).join(',')}}`;
    default:
      return JSON.stringify(model.value);
  }
}

export function entityEventOf(model: ModelEvent): EntityEvent {
  return {
    changeNumber: 7,
    id: '00000000-0000-4000-8000-000000000007',
    kind: model.kind,
    entityType: model.entityType,
    entityKey: '42',
    tenant: model.tenant,
    data: new JsonDocument(jsonOf(model.data)),
    before: model.before === null ? null : new JsonDocument(jsonOf(model.before)),
    changed: model.changed,
    timestamp: '2026-01-31T10:00:00.000000Z',
    traceparent: null,
    tracestate: null,
    cause: null,
    lookups: null,
    backfill: null,
  };
}
