import Big from 'big.js';

/** A parsed JSON value in which numbers that a double cannot hold exactly are `Big`. */
export type JsonValue = null | boolean | number | string | Big | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * JSON as PostgreSQL wrote it. The text goes into the envelope untouched, so that the receiver gets the exact digits;
 * it is parsed only when a condition or a template looks inside, and then once.
 */
export class JsonDocument {
  private parsed: JsonValue | undefined;

  constructor(readonly text: string) {}

  /** @throws SyntaxError when the text is not JSON. */
  get value(): JsonValue {
    return (this.parsed ??= parseExactJson(this.text));
  }
}

// Sixteen digits are the first that a double may not hold; the run may be split by one decimal point. Also 1e400 and 0.1e-400.
const MAY_BE_INEXACT = /\d[\d.]{15}|\d[eE]/;
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
// U+FDD0 is a noncharacter: it may not be interchanged, so no sane text starts with it; one that does is escaped below.
const MARK = '\uFDD0';

/**
 * JSON.parse that keeps 12345678901234567890 and 0.1234567890123456789 exact. Node 20's reviver does not see the source text,
 * so inexact numbers are turned into marked strings first; documents without long numbers (nearly all) take plain JSON.parse.
 *
 * @throws SyntaxError when the text is not JSON.
 */
export function parseExactJson(text: string): JsonValue {
  if (!MAY_BE_INEXACT.test(text)) return JSON.parse(text) as JsonValue;
  const marked = text.replace(STRING_OR_NUMBER, (token) => {
    if (token.startsWith('"')) return token.startsWith(`"${MARK}`) ? `"${MARK}${token.slice(1)}` : token;
    return isExact(token) ? token : `"${MARK}#${token}"`;
  });
  return JSON.parse(marked, (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
    return value[1] === '#' ? new Big(value.slice(2)) : value.slice(1);
  }) as JsonValue;
}

function isExact(token: string): boolean {
  if (token.length <= 15 && !/[eE]/.test(token)) return true;
  const asDouble = Number(token);
  return Number.isFinite(asDouble) && new Big(token).eq(new Big(String(asDouble)));
}

/** The text of a parsed value, exact numbers included: the inverse of {@link parseExactJson}. */
export function stringifyExactJson(value: JsonValue): string {
  if (value instanceof Big) return value.toFixed();
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(stringifyExactJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value as Record<string, JsonValue>);
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${stringifyExactJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
