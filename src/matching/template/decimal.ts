import Big from 'big.js';
import { toValue } from 'liquidjs';
import { isComputable, LARGEST_EXPONENT, spelledNumber } from '../../event/json-document';

/** A number and how many decimals it is written with: 4.90 has two. */
export interface Decimal {
  readonly value: Big;
  readonly scale: number;
}

/** PostgreSQL writes NaN and infinity as texts, and texts they stay: a bill shows them, and no 0 in their place. */
export type Operand = Decimal | number;

const NUMERIC = /^\s*([+-]?)(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
const SPECIAL = /^\s*(NaN|-?Infinity)\s*$/;

/** What a filter computes with; 0 for what is no number, as everywhere in Liquid. */
export function operandOf(given: unknown): Operand {
  return numberIn(given) ?? ZERO;
}

/** The number that a value is, or a text; null when it is none. */
export function numberIn(given: unknown): Operand | null {
  const value: unknown = toValue(given);
  if (value instanceof Big) return decimalOf(String(value));
  if (typeof value === 'number') return Number.isFinite(value) ? decimalOf(new Big(value).toFixed()) : value;
  if (typeof value === 'boolean') return decimalOf(value ? '1' : '0');
  if (typeof value !== 'string') return null;
  const special = SPECIAL.exec(value);
  return special === null ? (NUMERIC.test(value) ? decimalOf(value) : null) : Number(special[1]);
}

const ZERO: Decimal = { value: new Big(0), scale: 0 };

function decimalOf(text: string): Decimal {
  const [, sign = '', digits = '0', exponent = ''] = NUMERIC.exec(text) ?? [];
  const value = new Big(`${sign === '-' ? '-' : ''}${digits.startsWith('.') ? '0' : ''}${digits.replace(/\.$/, '')}${exponent}`);
  const decimals = digits.includes('.') ? digits.length - digits.indexOf('.') - 1 : 0;
  return { value, scale: exponent === '' ? decimals : decimalsOf(value) };
}

/** What must not be written out: the zeros of 1e300000000 are gigabytes. */
function requireWritable(...numbers: readonly Big[]): void {
  if (numbers.some(({ e }) => Math.abs(e) > LARGEST_EXPONENT)) throw new Error('a number has more digits than PostgreSQL computes with');
}

function decimalsOf({ c, e }: Big): number {
  return Math.max(c.length - 1 - e, 0);
}

/** As a template knows it: a number that is written with these decimals, or a text where there is no such number. */
export function written(operand: Operand): unknown {
  if (typeof operand === 'number') return Number.isFinite(operand) ? operand : String(operand);
  const { value, scale } = operand;
  requireWritable(value);
  return spelledNumber((value.eq(0) ? value.abs() : value).toFixed(scale));
}

/** As PostgreSQL's numeric: a sum has the decimals of the longer one, and a product those of both. */
export function compute(operator: '+' | '-' | '*' | '/' | '%', left: Operand, right: Operand): Operand {
  if (typeof left === 'number' || typeof right === 'number') return ofDoubles(operator, doubleOf(left), doubleOf(right));
  const [a, b] = [left.value, right.value];
  requireWritable(a, b);
  const scale = Math.max(left.scale, right.scale);
  if (operator !== '+' && operator !== '-' && !isComputable(a, b)) throw new Error('two numbers have too many digits to be computed with');
  switch (operator) {
    case '+':
      return { value: a.plus(b), scale };
    case '-':
      return { value: a.minus(b), scale };
    case '*':
      return { value: a.times(b), scale: left.scale + right.scale };
    case '/': {
      if (b.eq(0)) throw new Error('division by zero');
      const value = a.div(b);
      return { value, scale: Math.max(scale, decimalsOf(value)) };
    }
    case '%': {
      if (b.eq(0)) throw new Error('division by zero');
      const rest = a.mod(b);
      return { value: rest.eq(0) || rest.gt(0) === b.gt(0) ? rest : rest.plus(b), scale };
    }
  }
}

function ofDoubles(operator: '+' | '-' | '*' | '/' | '%', left: number, right: number): number {
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

function doubleOf(operand: Operand): number {
  return typeof operand === 'number' ? operand : Number(operand.value.toString());
}

const MOST_DECIMALS = 1_000;

/** Exactly so many decimals (of -2: whole hundreds), half of the last one away from zero. */
export function rounded(operand: Operand, decimals: number): Operand {
  if (!(Math.abs(decimals) <= MOST_DECIMALS)) throw new Error(`a number is rounded to ${MOST_DECIMALS} decimals at the most`);
  if (typeof operand === 'number') return operand;
  requireWritable(operand.value);
  return { value: operand.value.round(Math.trunc(decimals), Big.roundHalfUp), scale: Math.max(Math.trunc(decimals), 0) };
}

/** The whole number next to it, below or above. */
export function whole(operand: Operand, direction: 'down' | 'up'): Operand {
  if (typeof operand === 'number') return operand;
  const { value } = operand;
  requireWritable(value);
  const towardsZero = value.round(0, Big.roundDown);
  const step = direction === 'down' ? (towardsZero.gt(value) ? -1 : 0) : towardsZero.lt(value) ? 1 : 0;
  return { value: towardsZero.plus(step), scale: 0 };
}

/** Negative, 0 or positive; NaN for NaN. */
export function orderOfNumbers(left: Operand, right: Operand): number {
  if (typeof left !== 'number' && typeof right !== 'number') return left.value.cmp(right.value);
  const [a, b] = [doubleOf(left), doubleOf(right)];
  return Number.isNaN(a) || Number.isNaN(b) ? NaN : a < b ? -1 : a > b ? 1 : 0;
}
