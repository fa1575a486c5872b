import type { FoundEvent, FoundIn } from '../audit-trail';
import { folded, spellingsOf } from '../words';

/** A document as it is stored, of what is shown. */
export interface StoredEvent {
  readonly change: number;
  readonly event: string;
  readonly entity_type: string;
  readonly entity_key: string | null;
  readonly kind: string;
  readonly written: string;
  readonly data: string | null;
  readonly before: string | null;
  readonly errors: string | null;
  readonly notes: string | null;
}

/** Characters of a text that are shown around a word. */
const AROUND = 30;
/** An ellipsis, where the text goes on before what is shown. */
const BEFORE = String.fromCharCode(0x2026);

/** Where the words stand, and the text around the first that stands in a text; as PostgreSQL's driver tells it. */
export function foundOf(stored: StoredEvent, words: readonly string[]): FoundEvent {
  const { change, event, entity_type: entityType, entity_key: entityKey, kind, written, data, before, errors, notes } = stored;
  const texts = { data, before, error: errors, note: notes } as const;
  const places: readonly [FoundIn, string | null][] = [
    ['entity', entityKey === null ? entityType : `${entityType} ${entityKey}`],
    ['event', event],
    ['change', null],
    ...(Object.entries(texts) as [FoundIn, string | null][]),
  ];
  const placeOf = (word: string): FoundIn | null =>
    places.find(([name, text]) => (name === 'change' ? String(change) === word : text !== null && holds(text, word)))?.[0] ?? null;
  const found = words.map((word) => ({ word, place: placeOf(word) }));
  const first = found.find(({ place }) => place !== null && place in texts)?.word;
  const foundIn = [...new Set(found.flatMap(({ place }) => (place === null ? [] : [place])))].sort();
  const excerpt = first === undefined ? null : excerptOf([data, before, errors, notes], first);
  return { change, event, entityType, entityKey, kind, written, foundIn, excerpt };
}

function holds(text: string, word: string): boolean {
  const plain = folded(text);
  return spellingsOf(word).some((spelling) => plain.includes(folded(spelling)));
}

function excerptOf(texts: readonly (string | null)[], word: string): string | null {
  const sought = word.toLowerCase();
  for (const text of texts) {
    const at = text?.toLowerCase().indexOf(sought) ?? -1;
    if (text === null || at < 0) continue;
    // By characters, as PostgreSQL counts.
    const start = [...text.slice(0, at)].length;
    const shown = [...text].slice(Math.max(0, start - AROUND), Math.max(0, start - AROUND) + [...word].length + 2 * AROUND).join('');
    return start > AROUND ? `${BEFORE}${shown}` : shown;
  }
  return null;
}
