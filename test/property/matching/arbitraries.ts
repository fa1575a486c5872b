import * as fc from 'fast-check';
import type { Comparison, Expression, Model, ModelEvent, Steps } from './reference-evaluator';

const digits = (most: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`));

function whole(most: number): fc.Arbitrary<string> {
  return digits(most).map((text) => text.replace(/^0+(?=\d)/, ''));
}

/** Number texts that JSON and conditions share: small ones that collide often, int8 and numeric(50), decimals, exponents. */
export const plainNumber: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('0', '1', '2', '3', '10', '0.1', '0.2', '0.3', '1.0', '1e1', '2.50', '2.5') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '9007199254740992',
      '9007199254740993',
      '9223372036854775807',
      '12345678901234567890',
      '12345678901234567891',
    ),
  },
  fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
  whole(50),
  fc.tuple(whole(20), digits(25)).map(([a, b]) => `${a}.${b}`),
  fc.tuple(whole(20), fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), whole(2)).map((parts) => parts.join('')),
);

export const signedNumber: fc.Arbitrary<string> = fc.tuple(fc.boolean(), plainNumber).map(([minus, text]) => (minus ? `-${text}` : text));

const WORDS = ['', 'a', 'ab', 'b', 'paid', 'PAID', "o'clock", '"', '%', '_', '\\', 'é', '😀', '\uFDD0#1', 'NaN', '1', '\n', '{{ x }}'];
const TIMES = ['2026-02-01T00:00:00+00:00', '2026-02-01T00:00:00Z', '2026-02-01', '2026-02-01 01:00:00+01', '2026-02-01T00:00:00.5', 'infinity', '10:00', '10:00:00+00', '09:00:00.25']; // prettier-ignore
export const shortText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...TIMES),
  { weight: 3, arbitrary: fc.constantFrom(...WORDS) },
  fc.array(fc.constantFrom('a', 'b', '%', '_', '\\', 'é', '😀', '.', '*', '\n'), { maxLength: 6 }).map((parts) => parts.join('')),
);

const text = shortText.map((value): Model => ({ is: 'text', value }));
const number = signedNumber.map((value): Model => ({ is: 'number', text: value }));
const truth = fc.boolean().map((value): Model => ({ is: 'truth', value }));
const nothing = fc.constant<Model>({ is: 'null' });
const scalar = fc.oneof({ weight: 3, arbitrary: number }, { weight: 3, arbitrary: text }, truth, nothing);
const list = fc.array(scalar, { maxLength: 3 }).map((items): Model => ({ is: 'list', items }));

/** A row over few columns, each of which is often absent, null, or of the wrong type. */
const object = (names: readonly string[], value: fc.Arbitrary<Model>): fc.Arbitrary<Model> =>
  fc
    .tuple(
      ...names.map((name) =>
        fc.option(
          value.map((model) => [name, model] as const),
          { freq: 4 },
        ),
      ),
    )
    .map((members) => ({ is: 'object' as const, members: members.filter((member) => member !== null) }));

const COLUMNS = ['status', 'total', 'price', 'active', 'customer', 'items', 'order'];
const nested = fc.oneof(
  { weight: 5, arbitrary: scalar },
  list,
  object(['email', 'plan'], scalar),
  fc.array(object(['sku'], scalar), { maxLength: 2 }).map((items): Model => ({ is: 'list', items })),
);
export const row: fc.Arbitrary<Model> = object(COLUMNS, nested);

export const modelEvent: fc.Arbitrary<ModelEvent> = fc
  .record({
    kind: fc.oneof({ weight: 3, arbitrary: fc.constant('update' as const) }, fc.constantFrom('insert', 'delete', 'custom')),
    entityType: fc.constantFrom('Order', 'paid'),
    tenant: fc.option(fc.constantFrom('a', 'paid')),
    data: row,
    other: fc.option(row, { freq: 8 }),
    unchanged: fc.boolean(),
    changed: fc.option(fc.subarray([...COLUMNS, 'secret'])),
  })
  // Half of the before-images share columns with the after-image, so that "unchanged" is no rarity.
  .map(({ other, unchanged, ...event }) => ({ ...event, before: other === null ? null : unchanged ? mixed(event.data, other) : other }));

function mixed(data: Model, other: Model): Model {
  if (data.is !== 'object' || other.is !== 'object') return other;
  const members = other.members.map(([name, value], i) =>
    i % 2 ? ([name, data.members.find(([own]) => own === name)?.[1] ?? value] as const) : ([name, value] as const),
  );
  return { is: 'object', members };
}

const ROW_FIELDS: readonly Steps[] = [
  ['status'],
  ['total'],
  ['price'],
  ['active'],
  ['items'],
  ['secret'],
  ['nowhere'],
  ['customer', 'email'],
  ['customer', 'plan'],
  ['items', 0],
  ['items', 1, 'sku'],
];
const field: fc.Arbitrary<Steps> = fc.constantFrom(...ROW_FIELDS, ...ROW_FIELDS.map((steps) => ['data', ...steps]), ['data', 'order']);
const steps: fc.Arbitrary<Steps> = fc.oneof(
  { weight: 6, arbitrary: field },
  fc.constantFrom<Steps>(
    ['before', 'status'],
    ['before', 'total'],
    ['event', 'kind'],
    ['event', 'entity_type'],
    ['event', 'tenant_id'],
    ['entity', 'type'],
  ),
);

const literal = (of: fc.Arbitrary<Model>): fc.Arbitrary<Expression> => of.map((value) => ({ op: 'literal' as const, value }));
const path = steps.map((at): Expression => ({ op: 'path', steps: at }));
const plainLiteral = literal(plainNumber.map((value) => ({ is: 'number' as const, text: value })));
const textOperand = fc.oneof(literal(text), { weight: 2, arbitrary: path });
const COMPARISONS: readonly Comparison[] = ['=', '<>', '<', '<=', '>', '>='];

/** Trees that the language accepts: what is known before evaluation to be a mistake is a syntax error, tested elsewhere. */
export const condition: fc.Arbitrary<Expression> = fc.letrec<{ truth: Expression; number: Expression }>((tie) => {
  const truthOperand = fc.oneof(tie('truth'), path, literal(truth));
  const compared = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(tie('number'), tie('number')) },
    { weight: 3, arbitrary: fc.tuple(textOperand, textOperand) },
    fc.tuple(truthOperand, truthOperand),
  );
  return {
    number: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'number' },
      { weight: 3, arbitrary: path },
      { weight: 3, arbitrary: plainLiteral },
      {
        weight: 2,
        arbitrary: fc.record({
          op: fc.constant('arithmetic' as const),
          how: fc.constantFrom('+', '-', '*', '/'),
          left: tie('number'),
          right: tie('number'),
        }),
      },
      fc.record({ op: fc.constant('minus' as const), operand: tie('number') }),
    ),
    truth: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'truth' },
      fc.tuple(fc.constantFrom(...COMPARISONS), compared).map(([how, [left, right]]): Expression => ({ op: 'compare', how, left, right })),
      fc.oneof(
        fc.record({
          op: fc.constant('in' as const),
          negated: fc.boolean(),
          left: tie('number'),
          items: fc.array(tie('number'), { minLength: 1, maxLength: 3 }),
        }),
        fc.record({
          op: fc.constant('in' as const),
          negated: fc.boolean(),
          left: textOperand,
          items: fc.array(textOperand, { minLength: 1, maxLength: 3 }),
        }),
      ),
      fc.record({ op: fc.constant('like' as const), negated: fc.boolean(), left: textOperand, pattern: shortText }),
      fc.record({ op: fc.constant('null test' as const), negated: fc.boolean(), operand: fc.oneof(path, tie('number'), tie('truth')) }),
      fc.record({
        op: fc.constant('text test' as const),
        how: fc.constantFrom('starts', 'ends', 'contains'),
        left: textOperand,
        right: fc.oneof(textOperand, tie('number')),
      }),
      fc.record({ op: fc.constant('has field' as const), steps }),
      fc.record({
        op: fc.constant('changed' as const),
        steps: field.map(withoutRoot),
        from: fc.constant(null),
        to: fc.option(fc.oneof(textOperand, tie('number'))),
      }),
      fc.record({
        op: fc.constant('changed' as const),
        steps: field.map(withoutRoot),
        from: fc.oneof(textOperand, tie('number')),
        to: fc.constant(null),
      }),
      path,
      literal(truth),
      { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('and', 'or'), left: tie('truth'), right: tie('truth') }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constant('not' as const), operand: tie('truth') }) },
    ),
  };
}).truth;

function withoutRoot(at: Steps): Steps {
  return at[0] === 'data' ? at.slice(1) : at;
}
