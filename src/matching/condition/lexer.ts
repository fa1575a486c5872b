import { ConditionSyntaxError } from './errors';

export type TokenKind = 'name' | 'number' | 'text' | 'symbol' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** A name or symbol as written; the content of a text without its quotes. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

const SPACE = /\s+/y;
const NAME = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// Backslashes mean themselves, so that MATCHES(sku, '\d+') reads as it looks; a quote is written twice, as in SQL.
const TEXT = /'(?:[^']|'')*'|"(?:[^"]|"")*"/y;
const SYMBOL = /&&|\|\||==|!=|<>|<=|>=|[=<>!()[\],.+\-*/]/y;

/** @throws ConditionSyntaxError at a character that begins nothing. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  for (;;) {
    at += take(SPACE)?.length ?? 0;
    if (at >= source.length) break;
    const [kind, written] = firstOf(take);
    if (written === undefined) throw unexpectedCharacter(source, at);
    const end = at + written.length;
    tokens.push({ kind, value: kind === 'text' ? unquote(written) : written, start: at, end });
    at = end;
  }
  tokens.push({ kind: 'end', value: '', start: source.length, end: source.length });
  return tokens;
}

function firstOf(take: (pattern: RegExp) => string | undefined): [TokenKind, string | undefined] {
  const name = take(NAME);
  if (name !== undefined) return ['name', name];
  const number = take(NUMBER);
  if (number !== undefined) return ['number', number];
  const text = take(TEXT);
  return text === undefined ? ['symbol', take(SYMBOL)] : ['text', text];
}

function unquote(written: string): string {
  const quote = written.charAt(0);
  return written.slice(1, -1).replaceAll(quote + quote, () => quote);
}

function unexpectedCharacter(source: string, at: number): ConditionSyntaxError {
  const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
  if (character === "'" || character === '"') {
    return new ConditionSyntaxError(source, at, source.length, `this text has no closing ${character}`);
  }
  return new ConditionSyntaxError(source, at, at + character.length, `unexpected "${character}"`);
}
