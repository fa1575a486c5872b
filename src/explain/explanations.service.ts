import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import { readChanges } from '../change-log/changes-by-number.sql';
import { decode } from '../change-log/decode';
import type { VersionText } from '../config/rules';
import { Database } from '../database/database';
import { SIDE_PAGE_BYTES } from '../event/image-budget';
import type { ObserversDefinition } from '../event/definitions';
import { explain, type EventExplanation, type ExplanationBasis } from './explain';
import { readStreamFacts, readFacts, type StreamFacts } from './facts.sql';
import { Versions } from './versions';

/** Why events did, or did not, cause what they should. */
@Injectable()
export class Explanations {
  constructor(private readonly database: Database) {}

  /** In the order of their numbers; changes that are no longer stored are left out. */
  of(changes: readonly number[], options: ExplainOptions): Promise<EventExplanation[]> {
    return this.database.use((client) => explainChanges(client, changes, options));
  }

  /** The same for as many changes as one likes: what is made of each is kept, and its images are not. */
  map<T>(changes: readonly number[], options: ExplainOptions, made: (explained: EventExplanation) => T): Promise<T[]> {
    return this.database.use((client) => mapChanges(client, changes, options, made));
  }

  /** What the stream as a whole does, as far as the database knows. */
  streamFacts(stream: string): Promise<StreamFacts> {
    return this.database.use((client) => readStreamFacts(client, stream));
  }
}

export interface ExplainOptions {
  readonly stream: string;
  /** Milliseconds for which attempts are kept. */
  readonly retention: number;
  readonly maxEventSize: number;
  /** By the version that leads now, instead of the one that decided. */
  readonly current: boolean;
  /** Reads a version of the observers file; throws ConfigurationError when it cannot. */
  readonly definitionOf: (version: VersionText) => ObserversDefinition;
}

/** Explains these changes, in the order of their numbers; those that are no longer stored are left out. */
export function explainChanges(client: ClientBase, changes: readonly number[], options: ExplainOptions): Promise<EventExplanation[]> {
  return mapChanges(client, changes, options, (explained) => explained);
}

/** Only so many images are in memory at a time as their sizes allow. */
export async function mapChanges<T>(
  client: ClientBase,
  changes: readonly number[],
  options: ExplainOptions,
  made: (explained: EventExplanation) => T,
): Promise<T[]> {
  const { stream, retention, maxEventSize, current, definitionOf } = options;
  const streamFacts = await readStreamFacts(client, stream);
  const facts = new Map((await readFacts(client, stream, changes, retention)).map((fact) => [fact.changeNumber, fact]));
  const versions = new Versions(client, definitionOf);
  const all: T[] = [];
  for await (const row of readChanges(client, changes, { bytes: SIDE_PAGE_BYTES, eventBytes: maxEventSize })) {
    const decoded = decode(row, maxEventSize);
    const fact = facts.get(decoded.is === 'event' ? decoded.event.changeNumber : decoded.changeNumber);
    // Cut by the retention between the two statements.
    if (fact === undefined) continue;
    const basis = await basisOf(fact.version, streamFacts, versions, current);
    all.push(made(explain(decoded, fact, streamFacts, basis)));
  }
  return all;
}

async function basisOf(
  decided: number | null,
  { currentVersion }: StreamFacts,
  versions: Versions,
  current: boolean,
): Promise<ExplanationBasis> {
  const notes: string[] = [];
  let version = current ? currentVersion : decided;
  if (version === null && currentVersion !== null) {
    version = currentVersion;
    notes.push(
      `which configuration decided is not on record (the event is older than this record): explained by the current version ${version}`,
    );
  }
  if (version === null)
    return { version: null, by: null, notes: [...notes, 'no service has led this stream yet: there is no configuration to explain by'] };
  if (decided !== null && version !== decided) notes.push(`explained by the current version ${version}; version ${decided} decided`);
  const read = await versions.of(version);
  if ('problem' in read) return { version, by: null, notes: [...notes, `version ${version} cannot be read any more: ${read.problem}`] };
  return { version, by: read, notes };
}
