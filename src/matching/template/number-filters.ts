import { toValue, type FilterImplOptions } from 'liquidjs';
import { spelledNumber } from '../../event/json-document';
import { compute, floorOfQuotient, operandIn, orderOfNumbers, rounded, textOfDecimal, whole, type Operand } from '../decimal';
import { textOf } from './rendering';

/**
 * Liquid's own compute with doubles: 0.1 + 0.2 is 0.30000000000000004, int8 loses its last digits, and 4.90 becomes 4.9. These keep the
 * digits of the database.
 */
export const NUMBER_FILTERS: Readonly<Record<string, FilterImplOptions>> = {
  plus: binary((left, right) => compute('+', left, right)),
  minus: binary((left, right) => compute('-', left, right)),
  times: binary((left, right) => compute('*', left, right)),
  modulo: binary((left, right) => compute('%', left, right)),
  divided_by: (left: unknown, right: unknown, integer: unknown = false) => {
    const [dividend, divisor] = [operandOf(left), operandOf(right)];
    return written(integer === true ? floorOfQuotient(dividend, divisor) : compute('/', dividend, divisor));
  },
  at_least: binary((left, right) => (orderOfNumbers(left, right) < 0 ? right : left)),
  at_most: binary((left, right) => (orderOfNumbers(left, right) > 0 ? right : left)),
  abs: unary((operand) =>
    typeof operand === 'number' ? Math.abs(operand) : { ...operand, digits: operand.digits < 0n ? -operand.digits : operand.digits },
  ),
  ceil: unary((operand) => whole(operand, 'up')),
  floor: unary((operand) => whole(operand, 'down')),
  round: (value: unknown, decimals: unknown = 0) => written(rounded(operandOf(value), countOf(decimals))),
  to_integer: (value: unknown) => written(required(value, 'to_integer')),
  decimals: (value: unknown, decimals: unknown = 2) =>
    isNothing(value) ? value : written(rounded(required(value, 'decimals'), Math.max(countOf(decimals), 0))),
  money: (value: unknown, currency?: unknown) => (isNothing(value) ? value : money(required(value, 'money'), currency)),
};

function binary(result: (left: Operand, right: Operand) => Operand): FilterImplOptions {
  return (left: unknown, right: unknown) => written(result(operandOf(left), operandOf(right)));
}

function unary(result: (operand: Operand) => Operand): FilterImplOptions {
  return (value: unknown) => written(result(operandOf(value)));
}

/** What a filter computes with; 0 for what is no number, as everywhere in Liquid. */
function operandOf(value: unknown): Operand {
  return operandIn(toValue(value)) ?? ZERO;
}

const ZERO: Operand = { digits: 0n, scale: 0 };

/** As a template knows it: a number that is written with its decimals, or a text where there is no such number. */
export function written(operand: Operand): unknown {
  if (typeof operand === 'number') return Number.isFinite(operand) ? operand : String(operand);
  return spelledNumber(textOfDecimal(operand));
}

function countOf(decimals: unknown): number {
  const operand = operandOf(decimals);
  return typeof operand === 'number' ? operand : Number(textOfDecimal(operand));
}

/** What is no number is refused where a bill would show a 0 in its place. */
function required(value: unknown, filter: string): Operand {
  const operand = operandIn(toValue(value));
  if (operand === null) throw new Error(`${filter} needs a number`);
  return operand;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Two decimals; with the code of a currency as many as it has, and the code. */
function money(amount: Operand, currency: unknown): unknown {
  if (isNothing(currency)) return written(rounded(amount, 2));
  return `${textOf(written(rounded(amount, decimalsOfCurrency(currency))))} ${textOf(currency).toUpperCase()}`;
}

function decimalsOfCurrency(currency: unknown): number {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency: textOf(currency) }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    throw new Error("money takes the code of a currency, such as 'EUR'");
  }
}
