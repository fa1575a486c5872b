import Big from 'big.js';
import { LARGEST_EXPONENT, type JsonValue } from '../../event/json-document';
import { compute, operandIn, textOfDecimal, type Decimal } from '../decimal';
import { MISSING } from '../path';
import { Instant, orderOfTimes, readInstant } from '../time';
import { EvaluationError } from './errors';

/** The answer of a comparison that lacks a value: neither true nor false, and it does not match. */
export const UNKNOWN = Symbol('unknown');

/** A span of time in milliseconds. */
export class Duration {
  constructor(readonly milliseconds: number) {}
}

export type Value = JsonValue | Instant | Duration | typeof MISSING | typeof UNKNOWN;
export type Truth = boolean | typeof UNKNOWN;

/** Negative, 0 or positive. */
export type OrderOfTexts = (left: string, right: string) => number;

/** @returns negative, 0 or positive; null when a value is missing or null. @throws EvaluationError when the types do not compare. */
export function compare(left: Value, right: Value, texts: OrderOfTexts): number | null {
  if (isAbsent(left) || isAbsent(right)) return null;
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'string' && typeof right === 'string') return texts(left, right);
  if (isNumber(left) && isNumber(right)) return new Big(left).cmp(right);
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right);
  if (left instanceof Instant || right instanceof Instant) return orderOfTimes(toInstant(left), toInstant(right));
  if (left instanceof Duration || right instanceof Duration) return sign(toDuration(left), toDuration(right));
  throw new EvaluationError(`${typeName(left)} cannot be compared with ${typeName(right)}`);
}

/** Equality, also of arrays and objects; numbers by value. @returns null when a value is missing or null. */
export function equal(left: Value, right: Value, texts: OrderOfTexts): boolean | null {
  if (isAbsent(left) || isAbsent(right)) return null;
  if (isComposite(left) && isComposite(right)) return sameJson(left as JsonValue, right as JsonValue);
  return compare(left, right, texts) === 0;
}

/** Infinity is as far as infinity. */
function sign(left: number, right: number): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether two JSON values are the same, numbers by value, members in any order. A loop: rows may be nested deeper than the stack. */
export function sameJson(left: JsonValue, right: JsonValue): boolean {
  // Pairs that are still to be compared.
  const open: JsonValue[] = [left, right];
  while (open.length > 0) {
    const b = open.pop() ?? null;
    const a = open.pop() ?? null;
    if (a === b) continue;
    if (!isComposite(a) || !isComposite(b)) {
      if (isNumber(a) && isNumber(b) && new Big(a).eq(b)) continue;
      return false;
    }
    if (!openMembers(a as Container, b as Container, open)) return false;
  }
  return true;
}

type Container = Readonly<Record<string, JsonValue>>;

/** Adds the pairs of members to what is open. @returns false when the two have not the same members */
function openMembers(a: Container, b: Container, open: JsonValue[]): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let at = 0; at < a.length; at++) open.push(a[at] as JsonValue, b[at] as JsonValue);
    return a.length === b.length;
  }
  const keys = Object.keys(a);
  if (Array.isArray(a) || Array.isArray(b) || keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(b, key)) return false;
    open.push(a[key] ?? null, b[key] ?? null);
  }
  return true;
}

/** Exact: 0.1 + 0.2 is 0.3, and int8 does not lose digits. A quotient is rounded to 20 decimals. @throws EvaluationError */
export function arithmetic(operator: '+' | '-' | '*' | '/', left: Value, right: Value): Value {
  if (isAbsent(left) || isAbsent(right)) return MISSING;
  if (left instanceof Instant || right instanceof Instant) return shift(operator, left, right);
  if (!isNumber(left) || !isNumber(right)) {
    throw new EvaluationError(`${operator} needs two numbers, here ${typeName(left)} and ${typeName(right)}`);
  }
  const a = new Big(left);
  // Big writes out the zeros between 1e300000000 and the other number: gigabytes.
  const b = new Big(right);
  if ([a, b].some(({ e }) => Math.abs(e) > LARGEST_EXPONENT)) {
    throw new EvaluationError('a number has more digits than PostgreSQL computes with');
  }
  if (isLong(a) || isLong(b)) return ofLongNumbers(operator, a, b);
  switch (operator) {
    case '+':
      return a.plus(right);
    case '-':
      return a.minus(right);
    case '*':
      return a.times(right);
    case '/':
      if (new Big(right).eq(0)) throw new EvaluationError('division by zero');
      return a.div(right);
  }
}

/** Big takes seconds for numbers as long as numeric may be. */
function isLong({ c, e }: Big): boolean {
  return c.length > LONG || Math.abs(e) > LONG;
}

const LONG = 1_000;

function ofLongNumbers(operator: '+' | '-' | '*' | '/', left: Big, right: Big): Big {
  if (operator === '/' && right.eq(0)) throw new EvaluationError('division by zero');
  const [a, b] = [operandIn(left.toFixed()), operandIn(right.toFixed())] as [Decimal, Decimal];
  return new Big(textOfDecimal(compute(operator, a, b) as Decimal));
}

function shift(operator: string, left: Value, right: Value): Value {
  if (operator === '-' && right instanceof Instant) return new Duration(toInstant(left).since(right));
  if (left instanceof Instant && (operator === '+' || operator === '-')) {
    const by = toDuration(right);
    return left.plus(operator === '+' ? by : -by);
  }
  throw new EvaluationError(`${operator} cannot be used with ${typeName(left)} and ${typeName(right)}`);
}

export function toInstant(value: Value): Instant {
  if (value instanceof Instant) return value;
  const instant = typeof value === 'string' ? readInstant(value) : null;
  if (instant === null) throw new EvaluationError(`${typeName(value)} is not a time`);
  return instant;
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `1.5h`; null when the text is no duration. */
export function spanOf(text: string): number | null {
  const match = DURATION.exec(text.trim());
  return match ? Number(match[1]) * UNIT[match[2] as keyof typeof UNIT] : null;
}

export function toDuration(value: Value): number {
  if (value instanceof Duration) return value.milliseconds;
  const parsed = typeof value === 'string' ? spanOf(value) : null;
  if (parsed === null) throw new EvaluationError(`${typeName(value)} is not a duration such as '1h' or '30s'`);
  return parsed;
}

export function toText(value: Value, what: string): string {
  if (typeof value === 'string') return value;
  throw new EvaluationError(`${what} needs text, here ${typeName(value)}`);
}

export function toTruth(value: Value): Truth {
  if (typeof value === 'boolean' || value === UNKNOWN) return value;
  if (isAbsent(value)) return UNKNOWN;
  throw new EvaluationError(`true or false is needed, here ${typeName(value)}`);
}

export function isAbsent(value: Value): value is null | typeof MISSING | typeof UNKNOWN {
  return value === null || value === MISSING || value === UNKNOWN;
}

export function isNumber(value: Value): value is number | Big {
  return typeof value === 'number' || value instanceof Big;
}

function isComposite(value: Value): boolean {
  return (
    typeof value === 'object' && value !== null && !(value instanceof Big) && !(value instanceof Instant) && !(value instanceof Duration)
  );
}

export function typeName(value: Value): string {
  if (value === MISSING || value === UNKNOWN) return 'nothing';
  if (value === null) return 'null';
  if (isNumber(value)) return 'a number';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean') return 'true/false';
  if (value instanceof Instant) return 'a time';
  if (value instanceof Duration) return 'a duration';
  return Array.isArray(value) ? 'a list' : 'an object';
}
