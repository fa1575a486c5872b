import Big from 'big.js';
import { LARGEST_EXPONENT } from '../event/json-document';

/**
 * A number and how many decimals it is written with: 4.90 is 490 with a scale of 2. Whole numbers of any length, for Big needs seconds for
 * the difference of two numbers of 131,072 digits, which numeric may have.
 */
export interface Decimal {
  readonly digits: bigint;
  /** 0 or more. */
  readonly scale: number;
}

/** PostgreSQL writes NaN and infinity as texts, and they stay what they are: a bill shows them, and no 0 in their place. */
export type Operand = Decimal | number;
export type Operator = '+' | '-' | '*' | '/' | '%';

const NUMERIC = /^\s*([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:e([+-]?\d+))?\s*$/i;
const SPECIAL = /^\s*(NaN|-?Infinity)\s*$/;
/** Before the point and behind it, in PostgreSQL. */
const MOST_DIGITS = LARGEST_EXPONENT + 16_383;

/** The number that a value is, or a text; null when it is none. @throws Error for one that PostgreSQL does not compute with either */
export function operandIn(value: unknown): Operand | null {
  if (value instanceof Big) return decimalIn(String(value));
  if (typeof value === 'number') return Number.isFinite(value) ? decimalIn(String(value)) : value;
  if (typeof value === 'boolean') return { digits: value ? 1n : 0n, scale: 0 };
  if (typeof value !== 'string') return null;
  const [, special] = SPECIAL.exec(value) ?? [];
  return special === undefined ? decimalIn(value) : Number(special);
}

function decimalIn(text: string): Decimal | null {
  const [written, sign, whole = '', part = '', alone = '', exponent = '0'] = NUMERIC.exec(text) ?? [];
  if (written === undefined) return null;
  const decimals = part + alone;
  if (Math.abs(Number(exponent)) > LARGEST_EXPONENT || whole.length + decimals.length > MOST_DIGITS)
    throw new Error('a number has more digits than PostgreSQL computes with');
  const digits = BigInt(`${whole}${decimals}`) * (sign === '-' ? -1n : 1n);
  const scale = decimals.length - Number(exponent);
  return scale < 0 ? { digits: digits * tenToThe(-scale), scale: 0 } : { digits, scale };
}

/** As it is written, with its decimals; a 0 has no sign. */
export function textOfDecimal({ digits, scale }: Decimal): string {
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
  const point = text.length - scale;
  return `${digits < 0n ? '-' : ''}${text.slice(0, point)}${scale === 0 ? '' : `.${text.slice(point)}`}`;
}

/** As PostgreSQL's numeric: a sum has the decimals of the longer one, a product those of both, and a quotient as many as it needs, up to 20. */
export function compute(operator: Operator, left: Operand, right: Operand): Operand {
  if (typeof left === 'number' || typeof right === 'number') return ofDoubles(operator, doubleOf(left), doubleOf(right));
  const [a, b, scale] = aligned(left, right);
  if (operator === '+') return { digits: a + b, scale };
  if (operator === '-') return { digits: a - b, scale };
  if (operator === '*') return { digits: left.digits * right.digits, scale: left.scale + right.scale };
  if (b === 0n) throw new Error('division by zero');
  if (operator === '%') return { digits: ((a % b) + b) % b, scale };
  return quotient(a, b, scale);
}

const QUOTIENT_DECIMALS = 20;

function quotient(a: bigint, b: bigint, least: number): Decimal {
  let digits = dividedAwayFromZero(a * tenToThe(QUOTIENT_DECIMALS), b);
  let scale = QUOTIENT_DECIMALS;
  for (; scale > least && digits % 10n === 0n; scale--) digits /= 10n;
  return scale >= least ? { digits, scale } : { digits: digits * tenToThe(least - scale), scale: least };
}

/** The whole number below a quotient. */
export function floorOfQuotient(left: Operand, right: Operand): Operand {
  if (typeof left === 'number' || typeof right === 'number') return Math.floor(doubleOf(left) / doubleOf(right));
  const [a, b] = aligned(left, right);
  if (b === 0n) throw new Error('division by zero');
  return { digits: (a - (((a % b) + b) % b)) / b, scale: 0 };
}

const MOST_DECIMALS = 1_000;

/** Exactly so many decimals (of -2: whole hundreds), half of the last one away from zero. */
export function rounded(operand: Operand, decimals: number): Operand {
  if (!(Math.abs(decimals) <= MOST_DECIMALS)) throw new Error(`a number is rounded to ${MOST_DECIMALS} decimals at the most`);
  if (typeof operand === 'number') return operand;
  const places = Math.trunc(decimals);
  const { digits, scale } = operand;
  const kept = places >= scale ? digits * tenToThe(places - scale) : dividedAwayFromZero(digits, tenToThe(scale - places));
  return places >= 0 ? { digits: kept, scale: places } : { digits: kept * tenToThe(-places), scale: 0 };
}

/** The whole number next to it, below or above. */
export function whole(operand: Operand, direction: 'down' | 'up'): Operand {
  if (typeof operand === 'number') return operand;
  const { digits, scale } = operand;
  const unit = tenToThe(scale);
  const rest = ((digits % unit) + unit) % unit;
  return { digits: (digits - rest) / unit + (direction === 'up' && rest > 0n ? 1n : 0n), scale: 0 };
}

/** Negative, 0 or positive; NaN for NaN. */
export function orderOfNumbers(left: Operand, right: Operand): number {
  if (typeof left === 'number' || typeof right === 'number') return orderOf(doubleOf(left), doubleOf(right));
  const [a, b] = aligned(left, right);
  return orderOf(a, b);
}

function orderOf<T extends bigint | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : NaN;
}

function aligned(left: Decimal, right: Decimal): [a: bigint, b: bigint, scale: number] {
  const scale = Math.max(left.scale, right.scale);
  return [left.digits * tenToThe(scale - left.scale), right.digits * tenToThe(scale - right.scale), scale];
}

function dividedAwayFromZero(a: bigint, b: bigint): bigint {
  const [size, unit] = [a < 0n ? -a : a, b < 0n ? -b : b];
  const result = (2n * size + unit) / (2n * unit);
  return a < 0n === b < 0n ? result : -result;
}

function tenToThe(exponent: number): bigint {
  return 10n ** BigInt(exponent);
}

function doubleOf(operand: Operand): number {
  return typeof operand === 'number' ? operand : Number(textOfDecimal(operand));
}

function ofDoubles(operator: Operator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return ((left % right) + right) % right;
  }
}
