import type { ActionDefinition, ObserverDefinition } from '../event/definitions';
import type { ChangeKind, EntityEvent } from '../event/entity-event';
import { messageOf } from '../event/errors';
import { changedAmong, changedNothing } from './changes';
import { compileCondition, conditionOf, type Condition, type Explanation, type Scope } from './condition/condition';

/** What an observer made of an event. */
export type MatchResult =
  | { readonly observer: ObserverDefinition; readonly matched: true }
  | { readonly observer: ObserverDefinition; readonly matched: false }
  /** The condition has no answer for this event. */
  | { readonly observer: ObserverDefinition; readonly matched: null; readonly error: string };

/** What an observer made of an event, whatever its entities and kinds are. */
export interface Judgement {
  readonly observer: ObserverDefinition;
  /** `undecided`: the condition takes look-ups, which each delivery makes for itself. */
  readonly verdict: 'matched' | Refusal | 'condition not met' | 'no answer' | 'undecided';
  /** Why there is no answer; null otherwise. */
  readonly error: string | null;
  /** Whether the condition's answer may be another one at another time. */
  readonly usesClock: boolean;
}

/** Why an observer's condition was not even asked. `nothing changed`: see `ignore_unchanged`; `other columns`: see `columns`; `not named`: of a backfill
 * that is for others. */
export type Refusal = 'other entity' | 'other kind' | 'nothing changed' | 'other columns' | 'not named';

const REFUSALS: readonly string[] = ['other entity', 'other kind', 'nothing changed', 'other columns', 'not named'] satisfies Refusal[];

export function isRefusal(verdict: string): verdict is Refusal {
  return REFUSALS.includes(verdict);
}

interface Candidate {
  readonly observer: ObserverDefinition;
  readonly condition: Condition | null;
}

const NONE: readonly Candidate[] = [];
const NOTHING: readonly MatchResult[] = [];

/** Finds the observers of an event: an index by kind and entity first, then the conditions. Immutable; one per configuration version. */
export class Matcher {
  private readonly byKind = new Map<ChangeKind, Map<string, Candidate[]>>();
  private readonly anyEntity = new Map<ChangeKind, Candidate[]>();
  private readonly byName = new Map<string, Candidate>();
  /** Observers with `cancel_when`, each with that condition. */
  private readonly cancellers: (Candidate & { readonly condition: Condition })[] = [];

  constructor(observers: readonly ObserverDefinition[]) {
    for (const observer of observers) {
      const candidate = { observer, condition: conditionOf(observer) };
      this.byName.set(observer.name, candidate);
      for (const kind of new Set(observer.kinds)) this.index(kind, candidate);
      const { cancelWhen, timesAsText } = observer;
      if (cancelWhen !== undefined) this.cancellers.push({ observer, condition: compileCondition(cancelWhen, timesAsText) });
    }
    this.mergeAnyEntity();
  }

  /** The observers for this entity and kind, each with its verdict, in the order of the file. */
  match(event: EntityEvent, now: number): MatchResult[] {
    const results: MatchResult[] = [];
    for (const candidate of this.candidates(event)) results.push(judge(candidate, { event, now }));
    return results;
  }

  /** The observers of this entity that cancel by a condition, each with what that came to, whatever the kind of the change is. */
  cancelling(event: EntityEvent, now: number): readonly MatchResult[] {
    // Asked of every event, and next to no file has any.
    if (this.cancellers.length === 0) return NOTHING;
    const its = this.cancellers.filter(({ observer }) => isFor(observer, event.entityType));
    return its.map(({ observer, condition }) => {
      try {
        return { observer, matched: condition.matches({ event, now }) };
      } catch (error) {
        return { observer, matched: null, error: messageOf(error) };
      }
    });
  }

  /** An observer and one of its actions by name; null when the configuration no longer has them. */
  find(observer: string, action: string): { observer: ObserverDefinition; action: ActionDefinition } | null {
    const found = this.byName.get(observer)?.observer;
    const its = found?.actions.find(({ name }) => name === action);
    return found && its ? { observer: found, action: its } : null;
  }

  /** All actions of these observers; names that are not known have none. */
  actionsOf(observers: readonly string[]): ActionDefinition[] {
    return observers.flatMap((name) => this.byName.get(name)?.observer.actions ?? []);
  }

  /** The verdict of one observer, whatever its entities and kinds say: for redriving a condition that had no answer. */
  judge(observer: string, event: EntityEvent, now: number): MatchResult | null {
    const candidate = this.byName.get(observer);
    return candidate === undefined ? null : judge(candidate, { event, now });
  }

  /** What every observer makes of the event, in the order of the file. */
  judgeAll(event: EntityEvent, now: number): Judgement[] {
    return [...this.byName.values()].map((candidate) => judgementOf(candidate, { event, now }));
  }

  /** The observers for this entity and kind; what each makes of the event is found out when it is asked for. */
  concerned(event: EntityEvent, now: number): { readonly observer: ObserverDefinition; readonly judge: () => Judgement }[] {
    return this.candidates(event).map((candidate) => ({
      observer: candidate.observer,
      judge: () => judgementOf(candidate, { event, now }),
    }));
  }

  /** The answer of a condition that takes look-ups, for an event that holds them: whether it is met, or the error where there is no answer. */
  decideWith(observer: string, event: EntityEvent, now: number): [error: string | null, met: boolean | null] {
    try {
      return [null, this.byName.get(observer)?.condition?.matches({ event, now }) ?? true];
    } catch (error) {
      return [messageOf(error), null];
    }
  }

  /** The parts of an observer's condition with their values; null when it has none, or the row cannot be read at all. */
  explain(observer: string, event: EntityEvent, now: number): Explanation | null {
    try {
      return this.byName.get(observer)?.condition?.explain({ event, now }) ?? null;
    } catch {
      return null;
    }
  }

  private candidates({ kind, entityType, backfill }: EntityEvent): readonly Candidate[] {
    // Whoever a backfill names takes part, whatever kinds of changes it is for; nobody else does.
    if (kind === 'backfill')
      return [...this.byName.values()].filter(({ observer }) => backfill?.observers.includes(observer.name) === true && isFor(observer, entityType)); // prettier-ignore
    return this.byKind.get(kind)?.get(entityType) ?? this.anyEntity.get(kind) ?? NONE;
  }

  private index(kind: ChangeKind, candidate: Candidate): void {
    if (candidate.observer.entities === '*') {
      this.anyEntity.set(kind, [...(this.anyEntity.get(kind) ?? []), candidate]);
      return;
    }
    const byEntity = this.byKind.get(kind) ?? new Map<string, Candidate[]>();
    this.byKind.set(kind, byEntity);
    for (const entity of new Set(candidate.observer.entities)) byEntity.set(entity, [...(byEntity.get(entity) ?? []), candidate]);
  }

  /** Observers of all entities join each entity's own, in the order of the file, so that a match is one look-up. */
  private mergeAnyEntity(): void {
    const order = [...this.byName.values()];
    for (const [kind, byEntity] of this.byKind) {
      for (const [entity, own] of byEntity) {
        const all = [...own, ...(this.anyEntity.get(kind) ?? [])];
        byEntity.set(
          entity,
          all.sort((a, b) => order.indexOf(a) - order.indexOf(b)),
        );
      }
    }
  }
}

function isFor({ entities }: ObserverDefinition, entityType: string): boolean {
  return entities === '*' || entities.includes(entityType);
}

function judge(candidate: Candidate, scope: Scope): MatchResult {
  const { observer } = candidate;
  try {
    return { observer, matched: gateOf(candidate, scope) === null && isMet(candidate, scope) };
  } catch (error) {
    // Whatever it is (a row whose JSON does not parse, one nested too deep): it concerns this row, and must not stop the others.
    return { observer, matched: null, error: messageOf(error) };
  }
}

/** What keeps an update from an observer of its entity and kind; null: nothing does. @throws EvaluationError where nobody can tell */
function gateOf({ observer: { columns, ignoreUnchanged } }: Candidate, { event }: Scope): Refusal | null {
  if (event.kind !== 'update') return null;
  if (ignoreUnchanged && changedNothing(event)) return 'nothing changed';
  return columns != null && changedAmong(columns, event).length === 0 ? 'other columns' : null;
}

/** A condition that names look-ups is decided by each delivery, when it has them. @throws EvaluationError when it has no answer */
function isMet({ condition }: Candidate, scope: Scope): boolean {
  return condition === null || condition.lookups.length > 0 || condition.matches(scope);
}

function judgementOf(candidate: Candidate, scope: Scope): Judgement {
  return { observer: candidate.observer, ...verdictOf(candidate, scope), usesClock: candidate.condition?.usesClock ?? false };
}

function verdictOf(candidate: Candidate, scope: Scope): Pick<Judgement, 'verdict' | 'error'> {
  const { observer, condition } = candidate;
  const { entityType, kind, backfill } = scope.event;
  if (!isFor(observer, entityType)) return { verdict: 'other entity', error: null };
  if (kind !== 'backfill' && !observer.kinds.includes(kind)) return { verdict: 'other kind', error: null };
  if (kind === 'backfill' && backfill?.observers.includes(observer.name) !== true) return { verdict: 'not named', error: null };
  try {
    const gate = gateOf(candidate, scope);
    if (gate !== null) return { verdict: gate, error: null };
    if (condition !== null && condition.lookups.length > 0) return { verdict: 'undecided', error: null };
    return { verdict: isMet(candidate, scope) ? 'matched' : 'condition not met', error: null };
  } catch (error) {
    return { verdict: 'no answer', error: messageOf(error) };
  }
}
