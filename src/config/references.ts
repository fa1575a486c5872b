import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '../event/errors';

/** A text whose `${…}` are filled in. */
export interface ResolvedText {
  readonly text: string;
  /** What came from outside the file, by the reference that brought it: never to be shown. */
  readonly fromOutside: readonly { readonly reference: string; readonly value: string }[];
  /** What could not be filled in, and why. */
  readonly problems: readonly string[];
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;

/**
 * Fills in `${NAME}`, `${NAME:-default}` and `${file:PATH}`; `$${` is a literal. Once, from left to right: what comes out of a variable or
 * a file is never looked at again.
 *
 * @param folder what the paths of `${file:PATH}` are relative to
 */
export function resolveReferences(raw: string, env: Readonly<Record<string, string | undefined>>, folder: string): ResolvedText {
  const fromOutside: { reference: string; value: string }[] = [];
  const problems: string[] = [];
  const outside = (reference: string, value: string): string => {
    fromOutside.push({ reference, value });
    return value;
  };
  const complain = (message: string): string => {
    problems.push(message);
    return '';
  };
  const text = raw.replace(REFERENCE, (reference, inner: string | undefined) => {
    if (reference === '$${') return '${';
    if (inner === undefined || !reference.endsWith('}')) return complain('"${" without "}"; a literal one is written "$${"');
    if (inner.startsWith('file:')) {
      const path = inner.slice('file:'.length);
      try {
        return outside(reference, readFileSync(resolve(folder, path), 'utf8').replace(/\r?\n$/, ''));
      } catch (error) {
        return complain(`the file ${path} cannot be read: ${String((error as { code?: string }).code ?? messageOf(error))}`);
      }
    }
    const [, name = '', fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner) ?? [];
    if (name === '') return complain(`${reference} is not a reference: \${NAME}, \${NAME:-default} or \${file:PATH}`);
    const value = env[name];
    if (value !== undefined && value !== '') return outside(reference, value);
    return fallback ?? complain(`the environment variable ${name} is not set; give it, or write \${${name}:-default}`);
  });
  return { text, fromOutside, problems };
}
