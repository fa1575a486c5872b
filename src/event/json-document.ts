import { randomBytes } from 'node:crypto';
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
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE]([+-]?\d+))?/y;
// Stands for a number while the rest is parsed. Random, so that no text can be taken for one, in whatever way it is escaped.
const MARK = `number ${randomBytes(16).toString('hex')} `;
/** PostgreSQL's numeric has 131,072 digits at the most; a few characters such as 1e300000000 would otherwise become gigabytes. */
const LARGEST_EXPONENT = 131_072;

/**
 * JSON.parse that keeps 12345678901234567890 and 0.1234567890123456789 exact. Node 20's reviver does not see the source text, so inexact
 * numbers are turned into marked strings first; a document without any takes plain JSON.parse.
 *
 * @throws SyntaxError when the text is not JSON, or holds a number beyond any that PostgreSQL computes with
 */
export function parseExactJson(text: string): JsonValue {
  if (!MAY_BE_INEXACT.test(text)) return JSON.parse(text) as JsonValue;
  const marked = markInexact(text);
  if (marked === null) return JSON.parse(text) as JsonValue;
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? new Big(value.slice(MARK.length)) : value,
  ) as JsonValue;
}

/** The text with its inexact numbers as marked strings, or null when it has none. */
function markInexact(text: string): string | null {
  const parts: string[] = [];
  let copied = 0;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      NUMBER.lastIndex = at;
      const [token = text.charAt(at), exponent] = NUMBER.exec(text) ?? [];
      if (!isExact(token, exponent)) {
        parts.push(text.slice(copied, at), `"${MARK}${token}"`);
        copied = at + token.length;
      }
      at += token.length;
    } else at++;
  }
  return parts.length === 0 ? null : parts.join('') + text.slice(copied);
}

const [QUOTE, MINUS, ZERO, NINE, BACKSLASH] = [0x22, 0x2d, 0x30, 0x39, 0x5c];

/** The position behind the string that begins at `start`. A loop: a regular expression overflows its stack on megabytes. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

function isExact(token: string, exponent: string | undefined): boolean {
  if (Math.abs(Number(exponent ?? 0)) > LARGEST_EXPONENT) throw new SyntaxError('a number has more digits than PostgreSQL computes with');
  if (token.length <= 15 && exponent === undefined) return true;
  const asDouble = Number(token);
  return Number.isFinite(asDouble) && /^-?\d/.test(token) && new Big(token).eq(new Big(String(asDouble)));
}

/** The text of a parsed value, exact numbers included: the inverse of {@link parseExactJson}. */
export function stringifyExactJson(value: JsonValue): string {
  if (value instanceof Big) return value.toFixed();
  if (typeof value === 'number') return new Big(value).toFixed();
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(stringifyExactJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value as Record<string, JsonValue>);
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${stringifyExactJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
