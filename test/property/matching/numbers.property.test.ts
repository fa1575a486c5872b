import * as fc from 'fast-check';
import { compileCondition } from '../../../src/matching/condition/condition';
import { plainNumber, signedNumber } from './arbitraries';
import { fractionOf, sign } from './reference-evaluator';
import { entityEventOf } from './unparser';

function verdict(source: string, numbers: Readonly<Record<string, string>>): unknown {
  const members = Object.entries(numbers).map(([name, text]) => [name, { is: 'number', text }] as const);
  const event = entityEventOf({
    kind: 'insert',
    entityType: 'Order',
    tenant: null,
    data: { is: 'object', members },
    before: null,
    changed: null,
  });
  return compileCondition(source).evaluate({ event, now: 0 });
}

/** Pairs that differ in the last digit only, next to pairs that do not resemble each other. */
const pair = fc.oneof(
  fc.tuple(signedNumber, signedNumber),
  fc
    .tuple(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -1n, max: 1n }))
    .map(([n, by]) => [String(n), String(n + by)] as const),
  fc
    .tuple(fc.bigInt({ min: 10n ** 49n, max: 10n ** 50n }), fc.bigInt({ min: -1n, max: 1n }))
    .map(([n, by]) => [String(n), String(n + by)] as const),
  fc
    .tuple(fc.bigInt({ min: 10n ** 20n, max: 10n ** 21n }), fc.bigInt({ min: -1n, max: 1n }))
    .map(([n, by]) => [`0.${n}`, `0.${n + by}`] as const),
);

describe('numbers', () => {
  it.each(['=', '!=', '<', '<=', '>', '>='])('of any length compare exactly with %s', (operator) => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [x, y] = [fractionOf(a), fractionOf(b)];
        const order = sign(x.n * y.d - y.n * x.d);
        const expected = { '=': order === 0, '!=': order !== 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[
          operator
        ];
        expect(`${a} ${operator} ${b}: ${String(verdict(`a ${operator} b`, { a, b }))}`).toBe(`${a} ${operator} ${b}: ${expected}`);
      }),
      { numRuns: 500 },
    );
  });

  it('compare alike as literals of the condition and as values of the row', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(verdict(`a < (${b})`, { a })).toBe(verdict('a < b', { a, b }));
        expect(verdict(`(${a}) = b`, { b })).toBe(verdict('a = b', { a, b }));
      }),
      { numRuns: 300 },
    );
  });

  it('are added, subtracted and multiplied without rounding', () => {
    fc.assert(
      fc.property(signedNumber, signedNumber, (a, b) => {
        expect(verdict('(a + b) - b = a', { a, b })).toBe('true');
        expect(verdict('(a + b) * (a + b) = a * a + 2 * a * b + b * b', { a, b })).toBe('true');
        expect(verdict('a - b = -(b - a)', { a, b })).toBe('true');
      }),
      { numRuns: 300 },
    );
  });

  it('are divided to 20 decimals: the product differs from the dividend by less than the divisor times 1e-20', () => {
    fc.assert(
      fc.property(signedNumber, plainNumber, (a, b) => {
        fc.pre(fractionOf(b).n !== 0n);
        expect(verdict('a / b * b - a <= b * 0.00000000000000000001 AND a - a / b * b <= b * 0.00000000000000000001', { a, b })).toBe(
          'true',
        );
      }),
      { numRuns: 300 },
    );
  });
});
