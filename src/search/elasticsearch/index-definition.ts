/** Raised when the mapping changes; `search reindex` brings documents of an older one to it. */
export const MAPPING_VERSION = 1;

/** What an index or a template of ours says of itself. */
export interface Mark {
  readonly product: 'fraiseql-observers';
  readonly version: number;
  /** Of which database: two services on one index would mix their events up. */
  readonly database: string;
  readonly stream: string;
}

const EXACT = { type: 'keyword', ignore_above: 8_191 };
const KEPT = { type: 'keyword', index: false, doc_values: false };

const mappings = (mark: Mark): Record<string, unknown> => ({
  dynamic: 'strict',
  _meta: mark,
  // What is searched in is not kept a second time.
  _source: { excludes: ['grams'] },
  properties: {
    '@timestamp': { type: 'date' },
    change: { type: 'long' },
    event: EXACT,
    entity_type: EXACT,
    entity_key: EXACT,
    kind: EXACT,
    tenant: EXACT,
    written: KEPT,
    // Microseconds, which a date has not.
    micros: { type: 'long' },
    data: KEPT,
    before: KEPT,
    errors: KEPT,
    notes: KEPT,
    grams: { type: 'text', analyzer: 'whitespace', norms: false, position_increment_gap: 100 },
    tries: { type: 'nested', properties: { observer: EXACT, action: EXACT, outcome: EXACT, error: EXACT, hour: EXACT } },
  },
});

/** The service makes indices by it, and nobody else by chance. */
export function templateOf(index: string, mark: Mark): Record<string, unknown> {
  return {
    index_patterns: [`${index}-g*`],
    priority: 500,
    // One that somebody has removed must not come back without its alias.
    allow_auto_create: false,
    version: MAPPING_VERSION,
    _meta: mark,
    template: { settings: { number_of_shards: 1 }, mappings: mappings(mark) },
  };
}

/** Indices of one generation, a day of changes each; a document's index is told by its change alone, so that it is never in two. */
export function indexOf(index: string, generation: number, day: string): string {
  return `${index}-g${generation}-${day}`;
}

/** @returns null for an index of another form */
export function partsOf(index: string, name: string): { readonly generation: number; readonly day: string } | null {
  const found = name.startsWith(`${index}-g`) ? /^(\d+)-(\d{4}\.\d\d\.\d\d)$/.exec(name.slice(index.length + 2)) : null;
  return found === null ? null : { generation: Number(found[1]), day: found[2] ?? '' };
}

/** Whether it is ours and of this release. @param what to name it by @returns what is wrong, or null */
export function problemOfMark(found: unknown, { database, stream, version }: Mark, what: string): string | null {
  const other = 'set OBSERVERS_SEARCH_INDEX to another name';
  const mark = (found ?? {}) as Partial<Mark>;
  if (mark.product !== 'fraiseql-observers') return `${what} was made by somebody else, with another mapping; ${other}`;
  if (mark.database !== database || mark.stream !== stream)
    return `${what} belongs to the stream "${mark.stream}" of another database; ${other}, one for each database and stream`;
  if ((mark.version ?? 0) > version) return `${what} was made by a newer release; run that one, or ${other}`;
  return null;
}
