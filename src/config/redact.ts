/** A value that came from outside the file, by the reference that brought it. */
export interface OutsideValue {
  readonly reference: string;
  readonly value: string;
}

/** Shorter ones are words that may stand anywhere: those are replaced where they stand alone. */
const TELLING_LENGTH = 8;

/** Puts references back in the place of what came out of them; letters are compared without their case, for host names lose it. */
export function redactor(values: readonly OutsideValue[]): (text: string) => string {
  const longestFirst = [...values].filter(({ value }) => value.length > 1).sort((a, b) => b.value.length - a.value.length);
  const patterns = longestFirst.map(({ reference, value }) => {
    const literal = value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return { reference, pattern: new RegExp(value.length >= TELLING_LENGTH ? literal : `(?<!\\w)${literal}(?!\\w)`, 'gi') };
  });
  return (text) => patterns.reduce((redacted, { reference, pattern }) => redacted.replace(pattern, () => reference), text);
}
