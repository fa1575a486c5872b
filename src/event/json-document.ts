import { randomBytes } from 'node:crypto';
import Big from 'big.js';

/** A number whose digits a double does not keep: a Big of big.js. Described here, so that who uses the package needs no types of big.js. */
export interface ExactDecimal {
  /** Sign, exponent and digits. */
  readonly s: number;
  readonly e: number;
  readonly c: number[];
  /** Its digits, without an exponent. */
  toFixed(decimals?: number): string;
  toNumber(): number;
  toString(): string;
  toJSON(): string;
}

/** A parsed JSON value in which numbers that a double cannot hold exactly, or would write in another way, are exact decimals. */
export type JsonValue = null | boolean | number | string | ExactDecimal | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * JSON as PostgreSQL wrote it. The text goes into the envelope untouched, so that the receiver gets the exact digits;
 * it is parsed only when a condition or a template looks inside, and then once.
 */
export class JsonDocument {
  private parsed: JsonValue | undefined;
  private spelt: JsonValue | undefined;

  constructor(readonly text: string) {}

  /** @throws SyntaxError when the text is not JSON. */
  get value(): JsonValue {
    return (this.parsed ??= parseExactJson(this.text));
  }

  /** The same for whoever writes numbers out again: 4.90 stays 4.90. @throws SyntaxError when the text is not JSON. */
  get spelled(): JsonValue {
    return (this.spelt ??= parseSpelledJson(this.text));
  }
}

/** PostgreSQL's numeric has 131,072 digits before its point at the most. What lies beyond is not computed with, and not written out. */
export const LARGEST_EXPONENT = 131_072;

/** A number as it is written. @param text an unsigned or negative decimal */
export function spelledNumber(text: string): number | ExactDecimal {
  return isWrittenAlike(text) ? Number(text) : new ExactNumber(text);
}

/** Whether a double is written as it is, also by what knows JavaScript's numbers only: 1.5e-10 and 1e+21 would keep their exponents there. */
function isWrittenAlike(text: string): boolean {
  return String(Number(text)) === text && !text.includes('e');
}

/** A number of a document that a double does not hold, or would write in another way. */
class ExactNumber extends Big {
  readonly #spelling: string;

  constructor(spelling: string) {
    super(spelling);
    this.#spelling = String(spelling);
  }

  /** Without an exponent, as PostgreSQL writes numeric; but 1e300000000 stays as it was read, for its zeros would be gigabytes. */
  override toString(): string {
    return /e/i.test(this.#spelling) && Math.abs(this.e) < LARGEST_EXPONENT ? this.toFixed() : this.#spelling;
  }

  override toJSON(): string {
    return this.toString();
  }

  // What Liquid asks for when it compares; without it two equal numbers of two columns would differ, as objects do.
  equals(other: unknown): boolean {
    return this.compared(other) === 0;
  }

  override gt(other: unknown): boolean {
    return this.compared(other) > 0;
  }

  geq(other: unknown): boolean {
    return this.compared(other) >= 0;
  }

  override lt(other: unknown): boolean {
    return this.compared(other) < 0;
  }

  leq(other: unknown): boolean {
    return this.compared(other) <= 0;
  }

  /** -1, 0 or 1; NaN, for which every comparison is false, when the other is no number. */
  private compared(other: unknown): number {
    if (other instanceof Big || Number.isFinite(other)) return this.cmp(other as Big | number);
    return typeof other === 'number' ? Math.sign(Number(this.toString()) - other) : NaN;
  }

  /** A double for what knows no better (sorting by Liquid); as texts, 9 would come after 10. */
  [Symbol.toPrimitive](hint: string): string | number {
    return hint === 'string' ? this.toString() : Number(this.toString());
  }

  /** A number has no parts: a loop over one (Liquid's) would otherwise meet the fields of Big. */
  [Symbol.iterator](): Iterator<never> {
    return [][Symbol.iterator]();
  }
}

/**
 * JSON.parse that keeps 12345678901234567890 and 0.1234567890123456789 exact. Node 20's reviver does not see the source text, so these
 * numbers are turned into marked strings first. A row without any takes plain JSON.parse, after a look that costs a quarter of it.
 *
 * @throws SyntaxError when the text is not JSON
 */
export function parseExactJson(text: string): JsonValue {
  const numbers: ExactNumber[] = [];
  return parseMarked(text, mayBeInexact(text) ? markNumbers(text, numbers, exactNumber) : text, numbers);
}

/** The same, and a number is as it was written: 4.90, 702.00 and 0.0000001, which JavaScript writes as 4.9, 702 and 1e-7. @throws SyntaxError */
export function parseSpelledJson(text: string): JsonValue {
  const numbers: ExactNumber[] = [];
  return parseMarked(text, markNumbers(text, numbers, speltNumber), numbers);
}

function parseMarked(text: string, marked: string, numbers: readonly ExactNumber[]): JsonValue {
  if (numbers.length === 0) return JSON.parse(text) as JsonValue;
  let parsed: unknown;
  try {
    parsed = JSON.parse(marked);
  } catch {
    // Its message would quote the mark, and a place in a text that nobody wrote.
    return JSON.parse(text) as JsonValue;
  }
  return putBack(parsed, numbers);
}

// A double holds fifteen digits whatever they are, and any exponent of two. A UUID has digits around an e too, but ends in a quote.
const LARGE_EXPONENT = /\d[eE][+-]?\d{3,}(?:[\s,}\]]|$)/;
const LONG = 16;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const NAME_END = /\s*:/y;
// Stands for a number while the rest is parsed. Random, so that no text can be taken for one, in whatever way it is escaped.
const MARK = `number ${randomBytes(16).toString('hex')} `;
const [QUOTE, MINUS, POINT, ZERO, NINE, BACKSLASH] = [0x22, 0x2d, 0x2e, 0x30, 0x39, 0x5c];

/** False only when a double holds every number; seldom true otherwise. A run of sixteen is found by looking at every sixteenth character. */
function mayBeInexact(text: string): boolean {
  for (let at = LONG - 1; at < text.length; at += LONG) {
    if (!isDigitOrPoint(text.charCodeAt(at))) continue;
    let [start, end] = [at, at + 1];
    while (isDigitOrPoint(text.charCodeAt(start - 1))) start--;
    while (isDigitOrPoint(text.charCodeAt(end))) end++;
    if (end - start >= LONG && text.charCodeAt(end) !== QUOTE) return true;
  }
  return LARGE_EXPONENT.test(text);
}

function isDigitOrPoint(code: number): boolean {
  return (code >= ZERO && code <= NINE) || code === POINT;
}

/** The text with marked strings for the numbers that `keep` makes, which are added to `numbers`. */
function markNumbers(text: string, numbers: ExactNumber[], keep: (token: string) => ExactNumber | null): string {
  const parts: string[] = [];
  let copied = 0;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      NUMBER.lastIndex = at;
      const token = NUMBER.exec(text)?.[0] ?? text.charAt(at);
      const number = keep(token);
      if (number !== null && !isName(text, at + token.length)) {
        parts.push(text.slice(copied, at), `"${MARK}${numbers.push(number) - 1}"`);
        copied = at + token.length;
      }
      at += token.length;
    } else at++;
  }
  return parts.join('') + text.slice(copied);
}

/** Whether a colon comes next: a number cannot be a name, and must not become one. */
function isName(text: string, end: number): boolean {
  NAME_END.lastIndex = end;
  return NAME_END.test(text);
}

/** The position behind the string that begins at `start`. A loop: a regular expression overflows its stack on megabytes. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

/** The number, or null when a double writes it as it is. */
function speltNumber(token: string): ExactNumber | null {
  return token === '-' || isWrittenAlike(token) ? null : new ExactNumber(token);
}

/** The number, or null when a double holds it. */
function exactNumber(token: string): ExactNumber | null {
  if (token.length < LONG && !/e/i.test(token)) return null;
  const double = Number(token);
  if (String(double) === token) return null;
  const exact = new ExactNumber(token);
  return Number.isFinite(double) && exact.eq(String(double)) ? null : exact;
}

/** Puts the numbers in the place of their marks. A loop: documents may be nested deeper than the stack. */
function putBack(parsed: unknown, numbers: readonly ExactNumber[]): JsonValue {
  const root = { value: parsed };
  const open: Record<string, unknown>[] = [root];
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    for (const key of Object.keys(container)) {
      const value = container[key];
      if (typeof value === 'object' && value !== null) open.push(value as Record<string, unknown>);
      else if (typeof value === 'string' && value.startsWith(MARK)) container[key] = numbers[Number(value.slice(MARK.length))];
    }
  }
  return root.value as JsonValue;
}

type Container = readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A list or an object that is being written. */
interface Open {
  readonly container: Container;
  /** Null: it is a list. */
  readonly names: readonly string[] | null;
  next: number;
}

/** The text of a parsed value, exact numbers included: the inverse of {@link parseExactJson}. A loop: values may be nested deeper than the stack. */
export function stringifyExactJson(value: JsonValue): string {
  const open: Open[] = [];
  const quoted = new Map<string, string>();
  let text = isContainer(value) ? opened(value, open) : scalarText(value);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { container, names } = top;
    const at = top.next++;
    if (at >= (names ?? (container as readonly JsonValue[])).length) {
      text += names === null ? ']' : '}';
      open.pop();
      continue;
    }
    const name = names?.[at] ?? '';
    // Liquid's lists may hold undefined.
    const member = (names === null ? (container as readonly JsonValue[])[at] : (container as Record<string, JsonValue>)[name]) ?? null;
    if (at > 0) text += ',';
    if (names !== null) {
      // Rows of one list have the same names.
      let label = quoted.get(name);
      if (label === undefined) quoted.set(name, (label = `${JSON.stringify(name)}:`));
      text += label;
    }
    text += isContainer(member) ? opened(member, open) : scalarText(member);
  }
  return text;
}

function isContainer(value: JsonValue): value is Container {
  return typeof value === 'object' && value !== null && !(value instanceof Big);
}

function opened(container: Container, open: Open[]): string {
  const names = Array.isArray(container) ? null : Object.keys(container);
  open.push({ container, names, next: 0 });
  return names === null ? '[' : '{';
}

function scalarText(value: Exclude<JsonValue, Container>): string {
  if (value instanceof ExactNumber) return value.toString();
  if (value instanceof Big) return Math.abs(value.e) < LARGEST_EXPONENT ? value.toFixed() : value.toExponential();
  return typeof value === 'number' ? new Big(value).toFixed() : JSON.stringify(value);
}
