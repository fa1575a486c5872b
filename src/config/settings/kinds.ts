import { didYouMean } from '../problems';
import { DURATION, formatDuration, parseDuration, parseSize, SIZE } from '../units';

export interface Setting<T> {
  readonly variable: string;
  /** One sentence, for `.env.example` and `config list`. */
  readonly description: string;
  /** As it is written. */
  readonly default: string | null;
  /** @returns the value, or what was expected */
  readonly parse: (text: string) => { readonly value: T } | { readonly expected: string };
  /** What may be shown of it. */
  show(value: T): string;
  /** It holds a password, a key or a token: never in plain values of a deployment. */
  readonly secret?: true;
  /** As JSON Schema, where the value is more than a text. */
  readonly shape?: Readonly<Record<string, unknown>>;
}

export const asIs = (value: unknown): string => String(value);

export function text(variable: string, fallback: string, description: string): Setting<string> {
  return { variable, description, default: fallback, parse: (value) => (value === '' ? { expected: 'a text' } : { value }), show: asIs };
}

export function whole(variable: string, fallback: number, least: number, most: number, description: string): Setting<number> {
  const expected = `a whole number from ${least} to ${most}`;
  const parse = (value: string): { value: number } | { expected: string } =>
    /^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most ? { value: Number(value) } : { expected };
  return { variable, description, default: String(fallback), parse, show: asIs, shape: { type: 'integer', minimum: least, maximum: most } };
}

/** The upper bounds are not only sense: a timer of more than 24.8 days runs out at once. */
export function duration(
  variable: string,
  fallback: string,
  [least, most]: readonly [string, string],
  description: string,
): Setting<number> {
  const parse = (value: string): { value: number } | { expected: string } => {
    const milliseconds = parseDuration(value);
    return milliseconds !== null && milliseconds >= (parseDuration(least) ?? 0) && milliseconds <= (parseDuration(most) ?? 0)
      ? { value: milliseconds }
      : { expected: `a duration from ${least} to ${most}, such as ${fallback}` };
  };
  return { variable, description, default: fallback, parse, show: formatDuration, shape: { type: 'string', pattern: DURATION.source } };
}

/** A duration that may be left out, where that means something of its own. @param example of an error */
export function durationOrNone(
  variable: string,
  [least, most]: readonly [string, string],
  example: string,
  description: string,
): Setting<number | null> {
  const { parse, shape = {} } = duration(variable, example, [least, most], description);
  return { variable, description, default: null, parse, show: (value) => (value === null ? '' : formatDuration(value)), shape };
}

export function size(variable: string, fallback: string, description: string): Setting<number> {
  const expected = `a size such as 64KiB or ${fallback}`;
  const parse = (value: string): { value: number } | { expected: string } => {
    const bytes = parseSize(value);
    return bytes !== null && bytes > 0 ? { value: bytes } : { expected };
  };
  return {
    variable,
    description,
    default: fallback,
    parse,
    show: (value) => `${value} B`,
    shape: { type: 'string', pattern: SIZE.source },
  };
}

export function flag(variable: string, fallback: boolean, description: string): Setting<boolean> {
  const parse = (value: string): { value: boolean } | { expected: string } =>
    value === 'true' || value === 'false' ? { value: value === 'true' } : { expected: 'true or false' };
  return { variable, description, default: String(fallback), parse, show: asIs, shape: { type: 'boolean' } };
}

export function oneOf<const T extends string>(variable: string, fallback: T, words: readonly T[], description: string): Setting<T> {
  const parse = (value: string): { value: T } | { expected: string } => {
    const found = words.find((word) => word === value);
    return found === undefined ? { expected: `one of ${words.join(', ')}${didYouMean(value, words)}` } : { value: found };
  };
  return { variable, description, default: fallback, parse, show: asIs, shape: { enum: words } };
}

/** By the rules of URLs, not by a pattern: a password may hold `@` and `:`. */
export function withoutPasswords(address: string): string {
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  for (const name of [...url.searchParams.keys()]) if (/pass/i.test(name)) url.searchParams.set(name, '***');
  return url.href;
}
