import { TimeSlice } from '../../event/timing';
import { grams } from '../elasticsearch/grams';
import { indexOf } from '../elasticsearch/index-definition';
import type { Recorded, RecordedChange } from './documents.sql';

/** A document on its way. */
export interface OutgoingDocument {
  readonly change: number;
  readonly index: string;
  /** Two lines of the bulk interface. */
  readonly lines: readonly [string, string];
}

/** Milliseconds of making documents before deliveries get their turn. */
const SLICE = 4;

/** Characters of a request; a document that is larger goes alone. */
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** As many at a time as go into one request. The same change always has the same place: told twice, it stands there once. */
export async function* documentsOf({ changes, version }: Recorded, name: string, generation: number): AsyncGenerator<OutgoingDocument[]> {
  const slice = new TimeSlice(SLICE);
  let documents: OutgoingDocument[] = [];
  let characters = 0;
  for (const recorded of changes) {
    const index = indexOf(name, generation, recorded.day);
    const at = { _index: index, _id: String(recorded.change), version: Number(version), version_type: 'external_gte' };
    const lines = [JSON.stringify({ index: at }), JSON.stringify(contentOf(recorded))] as const;
    const size = lines[0].length + lines[1].length;
    if (documents.length > 0 && characters + size > MOST_CHARACTERS) {
      yield documents;
      [documents, characters] = [[], 0];
    }
    documents.push({ change: recorded.change, index, lines });
    characters += size;
    if (slice.isOver) await slice.giveWay();
  }
  if (documents.length > 0) yield documents;
}

function contentOf(recorded: RecordedChange): Record<string, unknown> {
  const { change, event, entityType, entityKey, kind, tenant, written, micros, data, before, errors, notes, tries } = recorded;
  const entity = [entityType, entityKey].filter((part) => part !== null).join(' ');
  const searched = [entity, event, data, before, errors, notes].filter((text): text is string => text !== null && text !== '');
  return {
    '@timestamp': Math.floor(Number(micros) / 1_000),
    change,
    event,
    entity_type: entityType,
    entity_key: entityKey,
    kind,
    tenant,
    written,
    micros: Number(micros),
    data,
    before,
    errors,
    notes,
    tries,
    grams: searched.map(grams),
  };
}
