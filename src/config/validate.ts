import type { z } from 'zod';
import { didYouMean, type Problem } from './problems';
import { repair } from './repair';
import { ACTION_TYPES } from './schema/actions';
import { LATER_VALUES, OBSERVERS_FILE, type ObserversFileShape } from './schema/observers-file';
import { AUTH_TYPES } from './schema/parts';
import type { ConfigSource } from './source';

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

const LATER = 'is not supported yet by this version';

export interface ShapeResult {
  /** What is well-formed; parts that are not are replaced by harmless ones, so that the rest can be checked in the same go. */
  readonly content: ObserversFileShape | null;
  readonly problems: readonly Problem[];
}

/** Checks the shape: every problem in words of ours, with its place. */
export function validateShape(source: ConfigSource): ShapeResult {
  const value = source.value();
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return { content: null, problems: [source.problem([], 'expected a mapping that begins with version: 1')] };
  }
  const result = OBSERVERS_FILE.safeParse(value);
  if (result.success) return { content: result.data, problems: [] };
  const repaired = OBSERVERS_FILE.safeParse(repair(value as Record<string, unknown>, result.error.issues));
  return { content: repaired.data ?? null, problems: result.error.issues.flatMap((issue) => toProblems(source, issue, [])) };
}

function toProblems(source: ConfigSource, issue: Issue, prefix: Path): Problem[] {
  const path = [...prefix, ...(issue.path as Path)];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => source.keyProblem(path, key, unknownKey(source, key, path)));
    case 'invalid_union':
      return unionProblems(source, issue, path);
    case 'invalid_value':
      return [source.problem(path, invalidValue(source, path, issue.values.map(String)))];
    case 'invalid_type':
      return [source.problem(path, invalidType(issue))];
    case 'too_small':
    case 'too_big': {
      const bound = issue.code === 'too_small' ? `at least ${String(issue.minimum)}` : `at most ${String(issue.maximum)}`;
      const unit = issue.origin === 'array' ? ' entries' : issue.origin === 'string' ? ' characters' : '';
      return [source.problem(path, issue.message.startsWith('expected') ? issue.message : `expected ${bound}${unit}`)];
    }
    case 'invalid_format':
    case 'custom':
    case 'invalid_key':
    case 'invalid_element':
    case 'not_multiple_of':
      return [source.problem(path, issue.message)];
  }
}

function unionProblems(source: ConfigSource, issue: Extract<Issue, { code: 'invalid_union' }>, path: Path): Problem[] {
  if (issue.discriminator !== undefined) {
    const type = source.writtenAt(path);
    const [what, types] = path.at(-2) === 'auth' ? ['auth', AUTH_TYPES] : ['action', ACTION_TYPES];
    const message = type === '' ? `expected a type: ${types.join(' or ')}` : `there is no ${what} type "${type}"${didYouMean(type, types)}`;
    return [source.problem(path, message)];
  }
  // The alternative that got furthest is what was meant: a list with one wrong entry is about the entry.
  const deepest = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] ?? [];
  const inside = deepest.filter(({ path: within }) => within.length > 0);
  if (inside.length > 0) return inside.flatMap((nested) => toProblems(source, nested, path));
  const values = issue.errors.flat().flatMap((nested) => (nested.code === 'invalid_value' ? nested.values.map(String) : []));
  if (values.length > 0) return [source.problem(path, invalidValue(source, path, values))];
  const types = [
    ...new Set(issue.errors.flat().map((nested) => (nested.code === 'invalid_type' ? noun(nested.expected) : nested.message))),
  ];
  return [source.problem(path, `expected ${types.join(' or ')}`)];
}

function depth(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map(({ path }) => path.length));
}

function unknownKey(source: ConfigSource, key: string, path: Path): string {
  return `unknown key "${key}"${didYouMean(key, knownKeys(source, path))}`;
}

/** The keys that could stand there, read off the schema itself. */
function knownKeys(source: ConfigSource, path: Path): string[] {
  let schemas: z.ZodType[] = [OBSERVERS_FILE];
  for (const step of path) schemas = schemas.flatMap((schema) => stepInto(schema, step));
  const type = source.writtenAt([...path, 'type']);
  const shapes = schemas.flatMap(alternatives).flatMap((one) => ('shape' in one ? [one.shape as Readonly<Record<string, z.ZodType>>] : []));
  return shapes.filter((shape) => shape['type']?.safeParse(type).success !== false).flatMap(Object.keys);
}

function stepInto(schema: z.ZodType, step: string | number): z.ZodType[] {
  return alternatives(schema).flatMap((one) => {
    const { def } = one as unknown as { def: { element?: z.ZodType; valueType?: z.ZodType; shape?: Record<string, z.ZodType> } };
    const next = typeof step === 'number' ? def.element : (def.shape?.[step] ?? def.valueType);
    return next === undefined ? [] : [next];
  });
}

function alternatives(schema: z.ZodType): z.ZodType[] {
  const { def } = schema as unknown as { def: { innerType?: z.ZodType; options?: z.ZodType[] } };
  if (def.innerType !== undefined) return alternatives(def.innerType);
  return def.options?.flatMap(alternatives) ?? [schema];
}

function invalidValue(source: ConfigSource, path: Path, values: readonly string[]): string {
  const written = source.writtenAt(path);
  const key = String(path.findLast((step) => typeof step === 'string') ?? '');
  if (LATER_VALUES[key]?.includes(written)) return `${key}: ${written} ${LATER}`;
  const expected = values.length === 1 ? values[0] : `one of ${values.join(', ')}`;
  return `expected ${expected}${written === '' ? '' : `, not "${written}"${didYouMean(written, values)}`}`;
}

function invalidType(issue: Extract<Issue, { code: 'invalid_type' }>): string {
  return issue.input === undefined && issue.message.includes('undefined')
    ? `is missing: expected ${noun(issue.expected)}`
    : `expected ${noun(issue.expected)}`;
}

function noun(type: string): string {
  const nouns: Readonly<Record<string, string>> = {
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    object: 'a mapping',
    record: 'a mapping',
  };
  return nouns[type] ?? type;
}
