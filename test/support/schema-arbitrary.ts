import fc from 'fast-check';

/** As much of JSON Schema as the API's document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** By the name of a member: texts that stand for something at the service. */
export type Known = Readonly<Record<string, readonly string[]>>;

/** Values that the schema allows, and mostly such as the service knows. @param member the name under which the value is sent */
export function valid(schema: Schema, schemas: Readonly<Record<string, Schema>>, known: Known, member = ''): fc.Arbitrary<unknown> {
  const inner = (one: Schema, name = member): fc.Arbitrary<unknown> => valid(one, schemas, known, name);
  if (schema.$ref !== undefined) return inner(schemas[schema.$ref.split('/').at(-1)!]!);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => inner(one)));
  switch (schema.type) {
    case 'string':
      return text(schema, known[member] ?? []);
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000 });
    case 'number':
      // Waits of a minute are allowed, and say nothing more.
      return fc.double({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 1, 1), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(inner(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 3 });
    case 'object': {
      const { properties = {}, required = [] } = schema;
      const members = Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, inner(one, name)]));
      return fc.record(members, { requiredKeys: [...required] });
    }
    default:
      throw new Error(`the document uses what this does not know: ${JSON.stringify(schema)}`);
  }
}

function text(schema: Schema, known: readonly string[]): fc.Arbitrary<string> {
  const { minLength = 0, maxLength = 50, format } = schema;
  const pattern = new RegExp(schema.pattern ?? '', 'u');
  if (format === 'date-time')
    return fc.date({ min: new Date(0), max: new Date('2030-01-01'), noInvalidDate: true }).map((date) => date.toISOString());
  const any = fc
    .string({ unit: 'binary', minLength: Math.max(minLength, 1), maxLength: Math.min(maxLength, 40) })
    .filter((one) => pattern.test(one));
  const made = schema.pattern === undefined || pattern.test('any text at all') ? any : fc.stringMatching(pattern);
  return known.length === 0 ? made : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, made);
}

/** Anything that JSON can hold, and what attackers like to send. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    '',
    '\0',
    '__proto__',
    "'; drop table x; --",
    '../../etc/passwd',
    '%00',
    '\ud800',
    -1,
    1e308,
    2 ** 53,
    [],
    {},
    'a'.repeat(5_000),
  ),
);
