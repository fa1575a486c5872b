import Big from 'big.js';
import { defaultOperators, toValue, toValueSync, type Context } from 'liquidjs';
import type { JsonValue } from '../../event/json-document';
import { TextOrder } from '../condition/text-order';
import { sameJson } from '../condition/values';
import { operandIn, orderOfNumbers } from '../decimal';

type Operator = (left: unknown, right: unknown, context: Context) => unknown;

const TEXTS = new TextOrder(true);

/** Comparisons of templates are those of conditions: numbers by value, and exactly; times as times. Liquid's own words are left to it. */
export const OPERATORS = {
  ...defaultOperators,
  '==': (left, right) => equal(left, right),
  '!=': (left, right) => !equal(left, right),
  '<': ordered('<', (order) => order < 0),
  '<=': ordered('<=', (order) => order <= 0),
  '>': ordered('>', (order) => order > 0),
  '>=': ordered('>=', (order) => order >= 0),
  contains: (whole, part, context) => {
    const list: unknown = toValue(whole);
    if (Array.isArray(list)) return list.some((element) => equal(element, part));
    return own('contains')(whole, part, context);
  },
} satisfies Record<string, Operator> as unknown as typeof defaultOperators;

function own(operator: keyof typeof defaultOperators): Operator {
  return defaultOperators[operator] as unknown as Operator;
}

/** Liquid's own gives a generator, which is neither true nor false. */
const EQUALS = defaultOperators['=='] as unknown as (left: unknown, right: unknown) => unknown;

function ordered(operator: keyof typeof defaultOperators, holds: (order: number) => boolean): Operator {
  return (left, right, context) => {
    const order = orderOf(toValue(left), toValue(right));
    return order === null ? own(operator)(left, right, context) : holds(order);
  };
}

/** NaN where nothing comes before the other; null where Liquid is to decide (`empty`, `nil`, true and false). */
function orderOf(left: unknown, right: unknown): number | null {
  if (typeof left === 'string' && typeof right === 'string') return TEXTS.of(left, right);
  if (left === null || left === undefined || right === null || right === undefined) return NaN;
  if (isNumber(left) && isNumber(right)) return new Big(left).cmp(right);
  if (!isNumber(left) && !isNumber(right)) return null;
  if (!(isNumber(left) || typeof left === 'string') || !(isNumber(right) || typeof right === 'string')) return null;
  const [a, b] = [operandIn(left), operandIn(right)];
  return a === null || b === null ? NaN : orderOfNumbers(a, b);
}

function equal(left: unknown, right: unknown): boolean {
  const a: unknown = toValue(left);
  const b: unknown = toValue(right);
  if (typeof a === 'string' && typeof b === 'string') return TEXTS.of(a, b) === 0;
  if (isNumber(a) && isNumber(b)) return new Big(a).eq(b);
  // Liquid's own walk calls itself for each list in a list.
  if (Array.isArray(a) && Array.isArray(b)) return sameJson(a as JsonValue, b as JsonValue);
  return toValueSync(EQUALS(left, right)) === true;
}

export function isNumber(value: unknown): value is number | Big {
  return Number.isFinite(value) || value instanceof Big;
}

/** For `sort`: what is missing comes last; what does not compare stays where it is. */
export function orderForSorting(left: unknown, right: unknown): number {
  const [a, b] = [left ?? null, right ?? null];
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (isNumber(a) && isNumber(b)) return new Big(a).cmp(b);
  return (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0;
}
