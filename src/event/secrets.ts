import { spellings, withoutHalf, writings, type Writing } from './encodings';

/** Shorter ones stand in other words by chance; and a number is a port or a size. */
const SHORTEST = 6;
const SHORTEST_NUMBER = 8;
/** Longer ones (keys in PEM, signed tokens) are looked for in pieces, so that a part that a receiver repeats is found too. */
const PIECE = 96;
/** Texts from this length on may have been cut (answers are kept to 1 KiB): what is secret may end in the middle. */
const MAY_BE_CUT = 1_000;
/** Fewer characters of a secret that was cut tell nothing. */
const LEAST_PART = 3;
/** Tokens that are fetched again and again. */
const MOST_FETCHED = 256;

/** How one may stand in a text, once the text is decoded. */
interface Known {
  readonly label: string;
  readonly spellings: readonly string[];
}

/** A piece of a text, from one offset to another. */
interface Found {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

/**
 * What is secret, as it was configured or fetched, and never to be kept or shown: receivers repeat what they were sent. Whatever was made
 * by somebody else (answers, messages of errors) passes through `hide` before it is recorded, logged or told.
 */
export class Secrets {
  private readonly known = new Map<string, readonly Known[]>();
  private readonly fetched = new Set<string>();

  /** @param label what stands in its place */
  remember(value: string, label: string): void {
    const text = value.trim();
    if (text.length < (/^\d+$/.test(text) ? SHORTEST_NUMBER : SHORTEST) || this.known.has(text)) return;
    this.known.set(text, piecesOf(text).map((piece) => ({ label, spellings: spellings(piece).filter(({ length }) => length >= SHORTEST) }))); // prettier-ignore
  }

  /** The same of one that is valid for a while. */
  rememberFetched(value: string, label: string): void {
    this.remember(value, label);
    this.fetched.add(value);
    const [oldest] = this.fetched;
    if (this.fetched.size <= MOST_FETCHED || oldest === undefined) return;
    this.fetched.delete(oldest);
    this.known.delete(oldest);
  }

  /** The text without what is secret, in whatever encoding a receiver gives it back. */
  hide(text: string): string {
    if (this.known.size === 0 || text.length < SHORTEST) return text;
    const known = [...this.known.values()].flat();
    const ways = writings(text);
    const hidden = replaced(text, ways.flatMap((writing) => occurrences(writing, known)));
    return text.length < MAY_BE_CUT ? hidden : withoutPart(hidden, known);
  } // prettier-ignore
}

/** Names of headers and of parameters in URLs whose values are secret by their nature. */
const TELLING_NAME = /auth(?!ors?$)|token|secret|api[-_]?key|^key$|cookie|passw|pwd|signature|^sig$|credential/i;

export function isTellingName(name: string): boolean {
  return TELLING_NAME.test(name);
}

/** What a header says of who sends it: the whole, and without its scheme; of Basic also the password. */
export function credentialsIn(value: string): string[] {
  const text = value.trim();
  const [, scheme = '', rest] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
  if (rest === undefined) return [text];
  const decoded = /^basic$/i.test(scheme) ? Buffer.from(rest, 'base64').toString() : '';
  return [text, rest, decoded.slice(decoded.indexOf(':') + 1)];
}

/** What one request sent besides: whoever answers may give it back. @param headers name, value, name, value */
export function secretsOf(headers: readonly string[]): Secrets {
  const secrets = new Secrets();
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (isTellingName(headers[i] ?? '')) for (const text of credentialsIn(headers[i + 1] ?? '')) secrets.remember(text, '[secret]');
  return secrets;
}

/** Those of this process: configurations come and go, and what was secret in one stays so. */
export const SECRETS = new Secrets();

function piecesOf(value: string): string[] {
  return value.split(/[\r\n]+/).flatMap((line) => {
    const count = Math.ceil(line.length / PIECE);
    const size = Math.ceil(line.length / Math.max(1, count));
    const pieces = Array.from({ length: count }, (_, i) => line.slice(i * size, (i + 1) * size));
    return pieces.filter((piece) => piece.length >= SHORTEST);
  });
}

function occurrences({ text, at }: Writing, known: readonly Known[]): Found[] {
  const found: Found[] = [];
  for (const { label, spellings: all } of known) {
    for (const spelling of all) {
      for (let i = text.indexOf(spelling); i !== -1; i = text.indexOf(spelling, i + 1))
        found.push({ from: at(i), to: at(i + spelling.length), label });
    }
  }
  return found;
}

/** The longer of two that begin together; pieces of one that follow each other become one. */
function replaced(text: string, found: readonly Found[]): string {
  let shown = '';
  let end = 0;
  let last = '';
  for (const { from, to, label } of [...found].sort((a, b) => a.from - b.from || b.to - a.to)) {
    if (to <= end) continue;
    if (from > end || label !== last || shown === '') shown += text.slice(end, Math.max(end, from)) + label;
    [end, last] = [to, label];
  }
  return shown + text.slice(end);
}

/** Without the beginning of a secret that the end of the text cuts. */
function withoutPart(text: string, known: readonly Known[]): string {
  let cut = text.length;
  for (const { text: end, at } of writings(withoutHalf(text))) {
    for (const spelling of known.flatMap(({ spellings: all }) => all)) {
      const longest = Math.min(spelling.length - 1, end.length);
      for (let length = longest; length >= LEAST_PART; length--) {
        if (!end.endsWith(spelling.slice(0, length))) continue;
        cut = Math.min(cut, at(end.length - length));
        break;
      }
    }
  }
  return cut === text.length ? text : `${text.slice(0, cut)}…`;
}
