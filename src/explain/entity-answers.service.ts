import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import { planCapture } from '../change-log/capture/capture';
import { readTables, type TableInfo } from '../change-log/capture/catalog';
import { didYouMean } from '../config/problems';
import { Database } from '../database/database';
import type { CaptureDefinition, ObserversDefinition } from '../event/definitions';
import { ExitCode, OperatorError } from '../event/errors';
import { readStatus } from '../status/status.sql';
import { absencesOf, doubtsOf, type AbsenceBasis, type KeyColumn } from './absence';
import { answeredChange, lookAt, type AnsweredChange, type EntityAnswer } from './entity-answer';
import { findSpelling, isOnRecord, readEntityFacts } from './entity.sql';
import { mapChanges, type ExplainOptions } from './explanations.service';
import { latestChanges, readStreamFacts } from './facts.sql';
import { compositeKey, otherSpellings } from './key-spelling';
import { Versions } from './versions';

export type { EntityAnswer } from './entity-answer';

export interface EntityQuestion {
  readonly entity: string;
  readonly key: string;
  /** Null: what all observers made of it. */
  readonly observer: string | null;
  /** So many changes, the newest. */
  readonly limit: number;
}

export interface AnswerOptions extends Omit<ExplainOptions, 'current'> {
  /** The observers file at hand; null where there is none that can be read. */
  readonly file: ObserversDefinition | null;
  /** Milliseconds for which changes are kept; null: as long as attempts. */
  readonly retentionLog: number | null;
}

/** One question about one entity: what happened to it, and what came, or did not come, of that. */
@Injectable()
export class EntityAnswers {
  constructor(private readonly database: Database) {}

  /** @throws OperatorError when nobody has ever heard of such an observer */
  to(question: EntityQuestion, options: AnswerOptions): Promise<EntityAnswer> {
    return this.database.use((client) => answer(client, question, options));
  }
}

async function answer(client: ClientBase, question: EntityQuestion, options: AnswerOptions): Promise<EntityAnswer> {
  const { entity, observer, limit } = question;
  const { stream, file } = options;
  const running = await runningDefinition(client, options);
  const status = await readStatus(client, stream);
  const led = status.leader?.alive === true;
  const { key, found } = await changesOf(client, question);
  const numbers = found.slice(0, limit);
  const changes = await mapChanges(client, numbers, { ...options, current: false }, (one) => answeredChange(one, observer, led));
  changes.reverse();
  if (observer !== null) await requireKnown(client, stream, observer, [running?.definition ?? null, file], changes);
  const { definition = file, version = null } = running ?? {};
  const basis: AbsenceBasis = {
    entity,
    key,
    observer,
    definition,
    version,
    file,
    plans: definition === null ? [] : await planCapture(client, definition.captures),
    facts: await readEntityFacts(client, stream, { entity, key }, found.length === 0),
    status,
    spelling: found.length > 0 ? null : await findSpelling(client, entity, otherSpellings(question.key)),
    keys:
      definition === null
        ? new Map<string, KeyColumn[]>()
        : await keysOf(
            client,
            definition.captures.filter((one) => one.entity === entity),
          ),
    retention: options.retentionLog ?? options.retention,
    setting: options.retentionLog === null ? 'OBSERVERS_RETENTION' : 'OBSERVERS_RETENTION_LOG',
  };
  const absences = changes.length === 0 ? absencesOf(basis) : doubtsOf(basis);
  const { events, seconds } = status.lag;
  const behind = events === 0 ? null : { changes: events, seconds: Math.max(0, seconds), led };
  return { entity, key, observer, changes, more: found.length > limit, behind, absences, next: nextOf(changes, absences) };
}

/** By the key as it was asked for, or the same JSON array as capture writes it. */
async function changesOf(
  client: ClientBase,
  { entity, key: asked, limit }: EntityQuestion,
): Promise<{ readonly key: string; readonly found: number[] }> {
  const latest = (key: string): Promise<number[]> => latestChanges(client, { entityType: entity, entityKey: key, kind: null }, limit + 1);
  const found = await latest(asked);
  const key = compositeKey(asked);
  return found.length > 0 || key === null || key === asked ? { key: asked, found } : { key, found: await latest(key) };
}

/** That of the newest change for which something can be done; else that of an absence, what is certain first. */
function nextOf(changes: readonly AnsweredChange[], absences: EntityAnswer['absences']): string | null {
  return [...changes, ...absences].find(({ next }) => next !== null)?.next ?? lookAt(changes[0]);
}

/** Null before the first leader, and when its version cannot be read any more. */
async function runningDefinition(
  client: ClientBase,
  { stream, definitionOf }: AnswerOptions,
): Promise<{ readonly definition: ObserversDefinition; readonly version: number } | null> {
  const { currentVersion } = await readStreamFacts(client, stream);
  if (currentVersion === null) return null;
  const read = await new Versions(client, definitionOf).of(currentVersion);
  return 'problem' in read ? null : read;
}

async function requireKnown(
  client: ClientBase,
  stream: string,
  observer: string,
  definitions: readonly (ObserversDefinition | null)[],
  changes: readonly AnsweredChange[],
): Promise<void> {
  const names = [...new Set(definitions.flatMap((one) => one?.observers.map(({ name }) => name) ?? []))];
  if (names.includes(observer) || changes.some(({ observers }) => observers.length > 0)) return;
  if (await isOnRecord(client, stream, observer)) return;
  throw new OperatorError(
    `there is no observer "${observer}"${didYouMean(observer, names)}`,
    'Observers: fraiseql-observers observers list',
    ExitCode.notFound,
  );
}

const NUMERIC = ['int2', 'int4', 'int8', 'numeric'];

/** By the name of the table as capture records have it. */
async function keysOf(client: ClientBase, captures: readonly CaptureDefinition[]): Promise<Map<string, readonly KeyColumn[]>> {
  const tables = await readTables(client, captures.map(({ table }) => table)); // prettier-ignore
  return new Map(tables.flatMap((table, i) => (table === null ? [] : [[table.name, keyOf(table, captures[i]?.key ?? table.primaryKey)]])));
}

function keyOf({ columns }: TableInfo, names: readonly string[]): KeyColumn[] {
  return names.map((name) => ({ name, numeric: NUMERIC.includes(columns.find((column) => column.name === name)?.writtenAs ?? '') }));
}
