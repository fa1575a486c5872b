/** A text with some of its escapes read, as bytes (a character is a byte of UTF-8), and where each of them stands in the text. */
export interface Writing {
  readonly text: string;
  /** Offset in the text as it was given. */
  readonly at: (offset: number) => number;
}

/** JSON within JSON within a URL: deeper nobody goes. */
const DEEPEST = 3;

/** What escapes stand for, in URLs, JSON and HTML. */
const ESCAPE =
  /%([\da-fA-F]{2})|\\u([dD][89abAB][\da-fA-F]{2})\\u([dD][c-fC-F][\da-fA-F]{2})|\\u([\da-fA-F]{4})|\\(["'\\/bfnrt])|&#(\d{1,7});|&#[xX]([\da-fA-F]{1,6});|&(amp|lt|gt|quot|apos);/g;
const SHORT: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The text as it is, and with its escapes read once, twice, … for as long as there are any. */
export function writings(given: string): Writing[] {
  const all = [asBytes(given)];
  for (let depth = 0; depth < DEEPEST; depth++) {
    const before = all.at(-1) as Writing;
    const read = withoutEscapes(before);
    if (read.text.length === before.text.length) break;
    all.push(read);
  }
  return all;
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function asBytes(given: string): Writing {
  if (/^[\0-\x7f]*$/.test(given)) return { text: given, at: (offset) => offset };
  const places: number[] = [];
  let text = '';
  let offset = 0;
  for (const character of given) {
    const bytes = bytesOf(character);
    for (let i = 0; i < bytes.length; i++) places.push(offset);
    text += bytes;
    offset += character.length;
  }
  return { text, at: (index) => places[index] ?? given.length };
}

function withoutEscapes({ text: given, at }: Writing): Writing {
  const places: number[] = [];
  let text = '';
  let end = 0;
  const copy = (to: number): void => {
    for (let i = end; i < to; i++) places.push(i);
    text += given.slice(end, to);
  };
  for (const found of given.matchAll(ESCAPE)) {
    copy(found.index);
    const bytes = meaningOf(found);
    for (let i = 0; i < bytes.length; i++) places.push(found.index);
    text += bytes;
    end = found.index + found[0].length;
  }
  copy(given.length);
  return { text, at: (index) => at(places[index] ?? given.length) };
}

function meaningOf([, byte, high, low, unit, short, decimal, hex, name]: readonly (string | undefined)[]): string {
  if (byte !== undefined) return String.fromCharCode(parseInt(byte, 16));
  if (high !== undefined && low !== undefined) return bytesOf(String.fromCharCode(parseInt(high, 16), parseInt(low, 16)));
  if (unit !== undefined) return bytesOf(String.fromCharCode(parseInt(unit, 16)));
  if (short !== undefined) return SHORT[short] ?? short;
  if (name !== undefined) return NAMED[name] ?? '';
  const code = decimal === undefined ? parseInt(hex ?? '0', 16) : Number(decimal);
  return code > 0x10ffff ? '' : bytesOf(String.fromCodePoint(code));
}

/** Half an escape, or half a character, at the end of a text that was cut. */
const HALF = /(?:%[\da-fA-F]?|\\+(?:u[\da-fA-F]{0,3})?|&#?[xX]?\w{0,5}|\uFFFD)$/;

export function withoutHalf(text: string): string {
  return text.replace(HALF, '');
}

/** How a value stands in a text whose escapes are read: as it is, in a form, in base64, in hexadecimal. */
export function spellings(value: string): string[] {
  const bytes = Buffer.from(value);
  const plain = bytes.toString('latin1');
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((before) => base64Within(bytes, before));
  const base64url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [...new Set([plain, plain.replaceAll(' ', '+'), ...base64, ...base64url, hex, hex.toUpperCase()])];
}

/** Wherever it stands in what is encoded: without the first and last characters, which its neighbours decide. */
function base64Within(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
}
