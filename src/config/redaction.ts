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
    if (typeof value === 'string') return this.text(value, sources) as T;
    if (Array.isArray(value)) return value.map((entry: unknown) => this.all(entry, sources)) as T;
    // Not of what is more than a structure: an exact number.
    if (typeof value !== 'object' || value === null || ![Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null))
      return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, this.all(entry as unknown, sources)])) as T;
  }
}

/** All texts in a piece of a definition. */
export function textsIn(definition: unknown): string[] {
  if (typeof definition === 'string') return [definition];
  if (typeof definition !== 'object' || definition === null) return [];
  return Object.values(definition).flatMap(textsIn);
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
