import { randomBytes } from 'node:crypto';
import { createColors } from 'picocolors';

/**
 * Values come from rows, receivers and files, and a terminal obeys what it is sent: it may be renamed, cleared, or made to show a line that
 * nobody wrote. So everything that is printed passes through here, and what could be obeyed is shown as `\x1b`. Our own colours and line
 * breaks are written as marks that nobody else can write, and become real ones at the end.
 */

/** C0, DEL, C1, what ends a line elsewhere, and what turns the direction of writing (U+061C, U+200E to U+2069). */
const OBEYED = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g; // eslint-disable-line no-control-regex -- these are what is looked for
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

// Known to this process alone.
const NONCE = randomBytes(8).toString('hex');
const MARK = new RegExp(`\\u{E0F0}${NONCE}([\\d;]*[mn])\\u{E0F1}`, 'gu');

function mark(code: string): string {
  return `\u{E0F0}${NONCE}${code}\u{E0F1}`;
}

/** A line break of ours within a text. */
export const BREAK = mark('n');

const PAINTS = ['bold', 'dim', 'red', 'green', 'yellow', 'cyan'] as const;
export type Colors = Readonly<Record<(typeof PAINTS)[number], (text: string) => string>>;

/** Marks a text to be coloured. @param enabled whether it goes to a terminal */
export function colorsFor(enabled: boolean): Colors {
  const palette = createColors(enabled);
  const paint = (name: (typeof PAINTS)[number]): ((text: string) => string) => {
    const [before = '', after = ''] = palette[name](' ').split(' ').map((code) => (code === '' ? '' : mark(code.slice(2)))); // prettier-ignore
    return (text) => `${before}${text}${after}`;
  };
  return Object.fromEntries(PAINTS.map((name) => [name, paint(name)])) as Colors;
}

/** A text as one line: only our own colours and breaks are obeyed. */
export function visible(text: string): string {
  return revealed(text.replace(OBEYED, (sign) => escaped(sign)));
}

/** The same of a text of several lines that are ours, such as SQL or a page of help. */
export function visibleLines(text: string): string {
  return revealed(text.replace(OBEYED, (sign) => (sign === '\n' || sign === '\t' ? sign : escaped(sign))));
}

/** JSON text that means the same; what C0 is stands escaped in it already. */
export function visibleJson(json: string): string {
  return json.replace(OBEYED, (sign) => (sign === '\n' ? sign : unicodeEscape(sign)));
}

function revealed(text: string): string {
  return text.replace(MARK, (_mark, code: string) => (code === 'n' ? '\n' : `\x1b[${code}`));
}

function escaped(sign: string): string {
  const code = sign.charCodeAt(0);
  return NAMED[sign] ?? (code > 0xff ? unicodeEscape(sign) : `\\x${code.toString(16).padStart(2, '0')}`);
}

function unicodeEscape(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Whether what is being written has been made visible. */
let trusted = false;
const guarded = new WeakSet<NodeJS.WriteStream>();

/** From now on whatever anybody writes there is made visible, also what nobody thought of. */
export function guardTerminal(stream: NodeJS.WriteStream): void {
  if (guarded.has(stream)) return;
  guarded.add(stream);
  const write = stream.write.bind(stream) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
  const guardedWrite = (chunk: string | Uint8Array, ...rest: unknown[]): boolean =>
    write(trusted ? chunk : visibleLines(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')), ...rest);
  stream.write = guardedWrite;
}

/** Writes what is visible already, or moves the cursor for us. */
export function writeTrusted(stream: NodeJS.WritableStream, ...chunk: Parameters<NodeJS.WriteStream['write']>): boolean {
  const before = trusted;
  trusted = true;
  try {
    return stream.write(...(chunk as [string]));
  } finally {
    trusted = before;
  }
}

/** The stream for a library that moves the cursor (a progress bar, a prompt). It is given nothing that is not ours or visible. */
export function cursorStream(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return new Proxy(stream, {
    get(target, key): unknown {
      if (key === 'write') return (...chunk: Parameters<NodeJS.WriteStream['write']>) => writeTrusted(target, ...chunk);
      // With the stream itself as receiver: its fields are private to it.
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const before = trusted;
        trusted = true;
        try {
          return (value as (...given: unknown[]) => unknown).apply(target, args);
        } finally {
          trusted = before;
        }
      };
    },
  });
}
