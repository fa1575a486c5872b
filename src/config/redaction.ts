import type { Redactor } from '../event/definitions';
import { encodeUrl, headerSafe, htmlSafe, slackSafe } from '../matching/template/encoding';

/** A text of the file whose `${…}` were filled in. */
export interface FilledText {
  /** As the file has it. */
  readonly raw: string;
  readonly text: string;
  readonly outside: readonly { readonly reference: string; readonly value: string }[];
}

/** A value this long is no word that stands elsewhere by chance: it is taken out wherever it stands. A shorter one where it came from. */
export const TELLING_LENGTH = 8;
/** A reference within a tag goes through filters: what becomes of it cannot be recognised. */
const WITHIN_TAG = /\{[{%](?:(?![}%]\})[\s\S])*\$\{/;

/** By the texts of the file whose references were filled in. */
export class Redaction implements Redactor {
  private readonly byText = new Map<string, FilledText[]>();
  private readonly everywhere: readonly (readonly [value: string, reference: string])[];

  constructor(filled: readonly FilledText[]) {
    const telling = new Map<string, string>();
    for (const one of filled) {
      if (one.outside.length === 0) continue;
      this.byText.set(one.text, [...(this.byText.get(one.text) ?? []), one]);
      for (const { value, reference } of one.outside) if (value.length >= TELLING_LENGTH) telling.set(value, reference);
    }
    this.everywhere = replacements(telling);
  }

  text(shown: string, sources: readonly string[]): string {
    const filled = sources.flatMap((source) => this.byText.get(source) ?? []);
    const tagged = filled.find(({ raw }) => WITHIN_TAG.test(raw));
    if (tagged !== undefined) return `(not shown: ${tagged.outside.map(({ reference }) => reference).join(', ')} stands within {{ }})`;
    const own = new Map(filled.flatMap(({ outside }) => outside.map(({ value, reference }) => [value, reference] as const)));
    return replaced(replaced(shown, this.everywhere), replacements(own));
  }

  all<T>(value: T, sources: readonly string[]): T {
    const root: unknown[] = [value];
    // Copies whose members are still those of the original. A loop: what a custom action renders may be nested deeper than the stack.
    const open: object[] = [root];
    for (let copy = open.pop(); copy !== undefined; copy = open.pop()) {
      for (const [key, member] of Object.entries(copy) as [string, unknown][]) {
        const shown = typeof member === 'string' ? this.text(member, sources) : copyOf(member);
        if (shown === member) continue;
        // An assignment to `__proto__` would not make a member.
        Object.defineProperty(copy, key, { value: shown, writable: true, enumerable: true, configurable: true });
        if (typeof shown === 'object' && shown !== null) open.push(shown);
      }
    }
    return root[0] as T;
  }
}

/** Of a structure; what is more than that (an exact number) is itself. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...(value as unknown[])];
  if (typeof value !== 'object' || value === null || ![Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null))
    return value;
  return Object.fromEntries(Object.entries(value));
}

/** All texts in a piece of a definition. */
export function textsIn(definition: unknown): string[] {
  const texts: string[] = [];
  const open: unknown[] = [definition];
  while (open.length > 0) {
    const part = open.pop();
    if (typeof part === 'string') texts.push(part);
    else if (typeof part === 'object' && part !== null) for (const member of Object.values(part).reverse()) open.push(member);
  }
  return texts;
}

function replaced(text: string, by: readonly (readonly [string, string])[]): string {
  return by.reduce((shown, [value, reference]) => shown.replaceAll(value, () => reference), text);
}

/** Longest first: one value may be the beginning of another. */
function replacements(values: ReadonlyMap<string, string>): (readonly [string, string])[] {
  const all = [...values].flatMap(([value, reference]) => [...formsOf(value)].map((form) => [form, reference] as const));
  return all.sort(([a], [b]) => b.length - a.length);
}

/** One that cannot stand in a header is in none. */
function inHeader(text: string): string {
  try {
    return headerSafe(text);
  } catch {
    return text;
  }
}

/** How a value may stand in what was made of it. */
function formsOf(value: string): Set<string> {
  const encodings = [
    (text: string) => text,
    (text: string) => JSON.stringify(text).slice(1, -1),
    (text: string) => encodeURIComponent(text.toWellFormed()),
    (text: string) => new URLSearchParams([['', text]]).toString().slice(1),
    htmlSafe,
    slackSafe,
    inHeader,
    encodeUrl,
    (text: string) => encodeUrl(`?${text}`).slice(1),
    (text: string) => text.replace(/[\r\n]/g, ' '),
  ];
  const forms = new Set<string>();
  for (const text of [value, value.trim()]) for (const encode of encodings) forms.add(encode(text));
  // In a structure that goes through JSON once more.
  for (const form of [...forms]) forms.add(JSON.stringify(form).slice(1, -1));
  forms.delete('');
  return forms;
}
