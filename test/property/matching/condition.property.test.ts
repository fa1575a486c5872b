import * as fc from 'fast-check';
import { compileCondition, ConditionSyntaxError } from '../../../src/matching/condition/condition';
import { FUNCTION_NAMES } from '../../../src/matching/condition/functions';
import { compileLike } from '../../../src/matching/condition/text-patterns';
import { condition, modelEvent, shortText } from './arbitraries';
import { likeMatches, referenceVerdict } from './reference-evaluator';
import { dice, entityEventOf, unparse } from './unparser';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const seed = fc.integer();

function verdictOf(source: string, event: ReturnType<typeof entityEventOf>): string {
  const verdict = compileCondition(source).evaluate({ event, now: NOW });
  return typeof verdict === 'string' ? verdict : 'error';
}

describe('the condition language', () => {
  it('answers what the reference evaluator answers, in every spelling', () => {
    const answers = { true: 0, false: 0, unknown: 0, error: 0 };
    fc.assert(
      fc.property(condition, fc.array(modelEvent, { minLength: 1, maxLength: 4 }), seed, (tree, events, spelling) => {
        const source = unparse(tree, dice(spelling));
        fc.pre(Buffer.byteLength(source) <= 4_096);
        for (const model of events) {
          const expected = referenceVerdict(tree, model);
          answers[expected]++;
          expect(`${source} is ${verdictOf(source, entityEventOf(model))}`).toBe(`${source} is ${expected}`);
        }
      }),
      { numRuns: 4_000 },
    );
    // A generator that only ever yields one answer would prove nothing.
    for (const count of Object.values(answers)) expect(count).toBeGreaterThan(200);
  });

  it('is true in matches() exactly when evaluate() says true, and throws exactly when evaluate() says error', () => {
    fc.assert(
      fc.property(condition, modelEvent, seed, (tree, model, spelling) => {
        const source = unparse(tree, dice(spelling));
        fc.pre(Buffer.byteLength(source) <= 4_096);
        const compiled = compileCondition(source);
        const scope = { event: entityEventOf(model), now: NOW };
        const verdict = compiled.evaluate(scope);
        if (typeof verdict === 'object') expect(() => compiled.matches(scope)).toThrow(verdict.error);
        else expect(compiled.matches(scope)).toBe(verdict === 'true');
      }),
    );
  });

  it('explains at the root what it decided', () => {
    fc.assert(
      fc.property(condition, modelEvent, seed, (tree, model, spelling) => {
        // A condition that is one bare path shows the value of the path: see the unit tests of explain.
        fc.pre(tree.op !== 'path');
        const source = unparse(tree, dice(spelling));
        fc.pre(Buffer.byteLength(source) <= 4_096);
        const compiled = compileCondition(source);
        const scope = { event: entityEventOf(model), now: NOW };
        const verdict = compiled.evaluate(scope);
        const { value, note } = compiled.explain(scope);
        expect(value).toBe(typeof verdict === 'string' ? verdict : 'error');
        if (typeof verdict === 'object') expect(note).toBe(verdict.error);
      }),
      { numRuns: 500 },
    );
  });

  it('explains every part with the text that stands in the source', () => {
    fc.assert(
      fc.property(condition, modelEvent, seed, (tree, model, spelling) => {
        const source = unparse(tree, dice(spelling));
        fc.pre(Buffer.byteLength(source) <= 4_096);
        const visit = (part: ReturnType<ReturnType<typeof compileCondition>['explain']>): void => {
          expect(source).toContain(part.text);
          expect(part.text.length).toBeGreaterThan(0);
          part.children.forEach((child) => {
            expect(part.text).toContain(child.text);
            visit(child);
          });
        };
        visit(compileCondition(source).explain({ event: entityEventOf(model), now: NOW }));
      }),
      { numRuns: 300 },
    );
  });
});

// prettier-ignore
const TOKENS = [
  'AND', 'or', 'NOT', '!', '&&', '||', '=', '==', '!=', '<>', '<', '<=', '>', '>=', 'IN', 'LIKE', 'IS', 'NULL', 'true', 'FALSE', '(', ')',
  '[', ']', ',', '.', '+', '-', '*', '/', "'x'", '"y"', "'1h'", "'", '1', '1.5', '9e99', '0', 'status', 'total', 'data', 'before', 'event',
  'event.kind', 'entity.key', 'lookups', 'items[0]', "data['a b']", '__proto__', 'constructor', '$', ';', '{{', '\\', 'é', '\u0000',
  ...FUNCTION_NAMES,
];

function compilesOrExplains(source: string): void {
  try {
    compileCondition(source);
  } catch (error) {
    expect(error).toBeInstanceOf(ConditionSyntaxError);
    const { line, column, length, message } = error as ConditionSyntaxError;
    const lines = source.split('\n');
    expect(message.length).toBeGreaterThan(0);
    expect(length).toBeGreaterThanOrEqual(1);
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(column).toBeLessThanOrEqual((lines[line - 1] as string).length + 1);
  }
}

describe('the parser', () => {
  it('throws nothing but a ConditionSyntaxError within the source, whatever the text', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string()), compilesOrExplains), {
      numRuns: 2_000,
    });
  });

  it('throws nothing but a ConditionSyntaxError within the source, whatever the order of its own tokens', () => {
    const soup = fc.array(fc.tuple(fc.constantFrom(...TOKENS), fc.constantFrom('', ' ', '\n')), { maxLength: 25 });
    fc.assert(
      fc.property(
        soup.map((parts) => parts.flat().join('')),
        compilesOrExplains,
      ),
      { numRuns: 5_000 },
    );
  });

  it('throws nothing but a ConditionSyntaxError within the source when a valid condition is damaged', () => {
    fc.assert(
      fc.property(condition, seed, fc.nat(), fc.nat(3), fc.constantFrom(...TOKENS), (tree, spelling, at, cut, token) => {
        const source = unparse(tree, dice(spelling));
        const position = at % (source.length + 1);
        compilesOrExplains(source.slice(0, position) + token + source.slice(position + cut));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['opening parentheses', '('],
    ['NOT', 'NOT '],
    ['!', '!'],
    ['minus signs', '-'],
    ['calls', 'CONTAINS('],
    ['lists', 'a IN ('],
    ['right operands in parentheses', 'a AND ('],
  ])('refuses a condition full of %s with a position instead of overflowing the stack', (_what, piece) => {
    fc.assert(
      fc.property(fc.integer({ min: 65, max: Math.floor(4_096 / piece.length) }), (times) => {
        expect(() => compileCondition(piece.repeat(times))).toThrow(ConditionSyntaxError);
        compilesOrExplains(piece.repeat(times));
      }),
      { numRuns: 20 },
    );
  });

  it('evaluates and explains the longest chains that fit into 4,096 bytes', () => {
    const event = entityEventOf({
      kind: 'insert',
      entityType: 'Order',
      tenant: null,
      data: {
        is: 'object',
        members: [
          ['a', { is: 'truth', value: true }],
          ['n', { is: 'number', text: '1' }],
        ],
      },
      before: null,
      changed: null,
    });
    for (const source of [`a${'&&a'.repeat(1_365)}`, `a${'||a'.repeat(1_365)}`, `0<n${'+n'.repeat(2_046)}`]) {
      expect(Buffer.byteLength(source)).toBeGreaterThan(4_090);
      expect(compileCondition(source).evaluate({ event, now: NOW })).toBe('true');
      expect(compileCondition(source).explain({ event, now: NOW }).value).toBe('true');
    }
  });
});

describe('LIKE', () => {
  it('matches what its definition matches', () => {
    let matched = 0;
    fc.assert(
      fc.property(shortText, shortText, (text, pattern) => {
        const expected = likeMatches([...text], [...pattern]);
        if (expected) matched++;
        expect(compileLike(pattern)(text)).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
    expect(matched).toBeGreaterThan(100);
  });

  it('matches every text that a pattern was made from', () => {
    const parts = fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 5 }), fc.constantFrom('%', '_', '')), { maxLength: 6 });
    fc.assert(
      fc.property(parts, fc.constantFrom('x', 'é', '😀', '\n', '%', '\\'), (pieces, filler) => {
        const pattern = pieces.map(([text, wild]) => text.replace(/[%_\\]/g, '\\$&') + wild).join('');
        const text = pieces.map(([own, wild]) => own + (wild === '' ? '' : filler)).join('');
        expect(compileLike(pattern)(text)).toBe(true);
      }),
    );
  });
});
