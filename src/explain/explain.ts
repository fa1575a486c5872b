import type { CaptureDefinition, ObserverDefinition, ObserversDefinition } from '../event/definitions';
import type { EntityEvent } from '../event/entity-event';
import type { Decoded } from '../change-log/decode';
import type { Explanation } from '../matching/condition/condition';
import { changedAmong } from '../matching/changes';
import { isRefusal, type Judgement, type Matcher } from '../matching/matcher';
import { quarantineNotes, stateOfChange, type ChangeState } from './change-state';
import { recordsOf, type DeliveryRecords } from './delivery-state';
import type { ChangeFacts, RecordedChange, StreamFacts } from './facts.sql';
import { explainDelivery, othersOnRecord, type DeliveryExplanation } from './on-record';

export type { DeliveryExplanation } from './on-record';

export interface ObserverExplanation {
  readonly name: string;
  /**
   * `not in this configuration`: it is on record, but the version explained by has no such observer or action. `not known`: it is on record, and the
   * change cannot be read any more.
   */
  readonly verdict: Judgement['verdict'] | 'not in this configuration' | 'not known';
  /** One sentence. */
  readonly why: string;
  readonly condition: Explanation | null;
  readonly deliveries: readonly DeliveryExplanation[];
}

/** Everything that is known about an event, and nothing that is not. */
export interface EventExplanation {
  readonly changeNumber: number;
  /** What the log calls it, also where it is no event. */
  readonly recorded: RecordedChange;
  /** Null for a change that is no event. */
  readonly event: EntityEvent | null;
  readonly state: ChangeState;
  /** One sentence about the state. */
  readonly why: string;
  /** The version explained by; null when it is not known or cannot be read, which `notes` say. */
  readonly version: number | null;
  readonly observers: readonly ObserverExplanation[];
  readonly notes: readonly string[];
}

/** What to explain by. */
export interface ExplanationBasis {
  readonly version: number | null;
  /** Null when there is no version to explain by. */
  readonly by: { readonly definition: ObserversDefinition; readonly matcher: Matcher } | null;
  readonly notes: readonly string[];
}

export function explain(decoded: Decoded, facts: ChangeFacts, stream: StreamFacts, basis: ExplanationBasis): EventExplanation {
  const { changeNumber, recorded } = facts;
  const { version } = basis;
  const state = stateOfChange(decoded, facts);
  if (decoded.is !== 'event') {
    const observers = decoded.is === 'ignored' ? [] : onRecordAlone(facts, stream);
    return { changeNumber, recorded, event: null, ...state, version, observers, notes: [...basis.notes, ...quarantineNotes(facts)] };
  }
  const { event } = decoded;
  const decidedAt = momentOfDecision(event, facts);
  const judgements = basis.by?.matcher.judgeAll(event, decidedAt.milliseconds) ?? [];
  const observers = judgements.map((judgement) => {
    const condition = asksCondition(judgement, event)
      ? (basis.by?.matcher.explain(judgement.observer.name, event, decidedAt.milliseconds) ?? null)
      : null;
    const explained = explainObserver(judgement, condition, event, facts, stream);
    const { when, columns } = judgement.observer;
    // A condition may hold what came out of a reference.
    const shown = { why: explained.why, condition: explained.condition };
    const sources = [...(when === null ? [] : [when]), ...(columns ?? [])];
    return { ...explained, ...(sources.length === 0 ? {} : basis.by?.definition.redaction.all(shown, sources)) };
  });
  const notes = [
    ...basis.notes,
    ...quarantineNotes(facts),
    ...captureNotes(event, basis.by?.definition.captures ?? []),
    ...causeNotes(event),
    ...backfillNotes(event, basis),
  ];
  if (
    judgements.some(
      ({ observer, usesClock }) => usesClock && observers.some(({ name, condition }) => name === observer.name && condition !== null),
    )
  )
    notes.push(decidedAt.note);
  observers.push(...others(judgements, event, facts, stream, version));
  return { changeNumber, recorded, event, ...state, version, observers, notes };
}

/** The clock is read once an event, and the moment is not kept. */
function momentOfDecision(event: EntityEvent, { attempts }: ChangeFacts): { milliseconds: number; note: string } {
  const begun = attempts.map(({ finishedAt, durationMs }) => Date.parse(finishedAt) - durationMs);
  if (begun.length === 0)
    return { milliseconds: Date.parse(event.timestamp), note: 'NOW() is taken to be the moment of the write; the decision came later' };
  return { milliseconds: Math.min(...begun), note: 'NOW() is taken to be the moment of the first try; the decision came just before' };
}

function explainObserver(
  judgement: Judgement,
  condition: Explanation | null,
  event: EntityEvent,
  facts: ChangeFacts,
  stream: StreamFacts,
): ObserverExplanation {
  const { observer, verdict } = judgement;
  const called = verdict === 'matched' || verdict === 'undecided' || verdict === 'no answer';
  const deliveries = observer.actions
    .map((action) => ({ action, records: recordsOf(facts, observer.name, action.name) }))
    .filter(({ records }) => called || isOnRecord(records))
    .map(({ action, records }) => explainDelivery(observer.name, action, records, event, facts, stream));
  return { name: observer.name, verdict, why: whyOf(judgement, event, deliveries), condition, deliveries };
}

function whyOf(judgement: Judgement, event: EntityEvent, deliveries: readonly DeliveryExplanation[]): string {
  const negative = isRefusal(judgement.verdict) || judgement.verdict === 'condition not met';
  const although = negative && deliveries.length > 0 ? '; what is on record was sent all the same, by another version or a replay' : '';
  return `${reasonOf(judgement, event)}${although}`;
}

/** The verdict in one sentence. */
export function reasonOf({ observer, verdict, error }: Judgement, event: EntityEvent): string {
  switch (verdict) {
    case 'matched':
      return whyMatched(observer, event);
    case 'other entity':
      return `it is for ${observer.entities === '*' ? 'all' : observer.entities.join(', ')}, and this is ${event.entityType}`;
    case 'other kind':
      return `it is for ${observer.kinds.join(', ')}, and this is ${event.kind}`;
    case 'nothing changed':
      return 'nothing changed; ignore_unchanged';
    case 'not named':
      return `the backfill is for ${event.backfill?.observers.join(', ')}`;
    case 'other columns':
      return `columns: none of ${(observer.columns ?? []).join(', ')} changed${event.changed?.length ? `; changed: ${event.changed.join(', ')}` : ''}`;
    case 'condition not met':
      return 'the condition is not met';
    case 'no answer':
      return `the condition has no answer: ${error}`;
    case 'undecided':
      return 'the condition takes what is looked up: each delivery decided for itself';
  }
}

function whyMatched({ when, columns }: ObserverDefinition, event: EntityEvent): string {
  const condition = when === null ? null : 'the condition is met';
  if (event.kind === 'backfill') return ['the backfill names it', ...(condition === null ? [] : [condition])].join('; ');
  if (columns === null || event.kind !== 'update') return condition ?? 'every event of this entity and kind matches';
  return [`columns: ${changedAmong(columns, event).join(', ')} changed`, ...(condition === null ? [] : [condition])].join('; ');
}

/** Whether an observer's condition has a say about the event, or would have. */
export function asksCondition({ verdict, observer }: Judgement, event: EntityEvent): boolean {
  return !isRefusal(verdict) && !(verdict === 'no answer' && isUnknown(observer, event));
}

/** It is not known what changed, and so the condition was not asked. */
function isUnknown({ columns }: ObserverDefinition, event: EntityEvent): boolean {
  try {
    if (columns !== null && event.kind === 'update') changedAmong(columns, event);
    return false;
  } catch {
    return true;
  }
}

function isOnRecord({ attempts, pending, deadLetter }: DeliveryRecords): boolean {
  return attempts.length > 0 || pending !== null || deadLetter !== null;
}

/** Of a change that cannot be read any more: what was sent when it could. */
function onRecordAlone(facts: ChangeFacts, stream: StreamFacts): ObserverExplanation[] {
  const { id, entityType, entityKey } = facts.recorded;
  if (id === null) return [];
  const subject = { id, entityType: entityType ?? '', entityKey: entityKey ?? '' };
  return othersOnRecord(new Set(), subject, facts, stream).map(({ name, deliveries }) => {
    const why = 'what it made of the event cannot be asked again; what it sent is on record';
    return { name, verdict: 'not known', why, condition: null, deliveries };
  });
}

/** Deliveries on record that this version knows nothing of: a renamed or removed observer or action. */
function others(
  judgements: readonly Judgement[],
  event: EntityEvent,
  facts: ChangeFacts,
  stream: StreamFacts,
  version: number | null,
): ObserverExplanation[] {
  const known = new Set(judgements.flatMap(({ observer }) => observer.actions.map(({ name }) => `${observer.name}/${name}`)));
  return othersOnRecord(known, event, facts, stream).map(({ name, deliveries, versions }) => {
    const made = versions.length === 0 ? '' : `; it was tried by version ${versions.join(', ')}`;
    const missing = version === null ? 'no version is at hand that has it' : `version ${version} has no such observer or action`;
    return { name, verdict: 'not in this configuration', why: `${missing}${made}`, condition: null, deliveries };
  });
}

/** What the row had, and observers never see: a condition on it cannot be met. */
function captureNotes({ entityType }: EntityEvent, captures: readonly CaptureDefinition[]): string[] {
  return captures
    .filter(({ entity }) => entity === entityType)
    .flatMap(({ table, include, exclude, mask }) => {
      const masked = Object.entries(mask);
      const hashed = masked.filter(([, how]) => how === 'hash').map(([column]) => column);
      const dropped = masked.filter(([, how]) => how === 'drop').map(([column]) => column);
      return [
        ...(include === null ? [] : [`of ${table} only ${include.join(', ')} are captured`]),
        ...(exclude.length === 0 ? [] : [`${exclude.join(', ')} of ${table}: excluded from capture, not in the event`]),
        ...(hashed.length === 0 ? [] : [`${hashed.join(', ')} of ${table}: masked, the event holds a hash of the value`]),
        ...(dropped.length === 0 ? [] : [`${dropped.join(', ')} of ${table}: masked, the event tells a change but no value`]),
      ];
    });
}

function causeNotes({ cause }: EntityEvent): string[] {
  return cause === null ? [] : [`brought about by ${cause.split(',').join(' → ')}`];
}

/** What nobody sends, because nobody is called so any more. */
function backfillNotes({ backfill }: EntityEvent, { by, version }: ExplanationBasis): string[] {
  if (backfill === null) return [];
  const gone = by === null ? [] : backfill.observers.filter((name) => !by.definition.observers.some((observer) => observer.name === name));
  const missing = gone.map((name) => `the backfill names ${name}, and version ${version} has no such observer: nothing is sent for it`);
  return [`the row as backfill ${backfill.id} found it, for ${backfill.observers.join(', ')}: no change of it`, ...missing];
}
