import type { Explanation } from '../matching/condition/condition';
import type { Absence } from './absence';
import type { DeliveryExplanation, EventExplanation, ObserverExplanation } from './explain';
import { argument } from './next-command';

/** A delivery of a change, without its tries. */
export interface AnsweredDelivery extends Omit<DeliveryExplanation, 'attempts'> {
  /** On record. */
  readonly tries: number;
}

export interface AnsweredObserver extends Omit<ObserverExplanation, 'condition' | 'deliveries'> {
  readonly deliveries: readonly AnsweredDelivery[];
}

/** A change of the entity: what observers made of it, and what came of that. Without its images. */
export interface AnsweredChange extends Pick<EventExplanation, 'changeNumber' | 'recorded' | 'state' | 'why' | 'version' | 'notes'> {
  readonly observers: readonly AnsweredObserver[];
  /** The command that helps, behind the program's name; null where nothing need be done, or nothing would help. */
  readonly next: string | null;
}

/** Why something did, or did not, come of what happened to one entity. */
export interface EntityAnswer {
  readonly entity: string;
  /** As the log writes it. */
  readonly key: string;
  /** The only one that is told of; null: all are. */
  readonly observer: string | null;
  /** Newest first. */
  readonly changes: readonly AnsweredChange[];
  /** Whether the log has older ones. */
  readonly more: boolean;
  /** How far the stream is behind; null where it has read everything. */
  readonly behind: { readonly changes: number; readonly seconds: number; readonly led: boolean } | null;
  /** Why there is no change, or why some may be missing behind these. */
  readonly absences: readonly Absence[];
  /** The one command that helps next, behind the program's name; null where there is none. */
  readonly next: string | null;
}

/** @param observer the only one to tell of; null: all */
export function answeredChange(explained: EventExplanation, observer: string | null, led: boolean): AnsweredChange {
  const { changeNumber, recorded, state, why, version, notes, observers } = explained;
  const told = observers.filter(({ name }) => observer === null || name === observer).map(answeredObserver);
  return { changeNumber, recorded, state, why, version, notes, observers: told, next: nextOf(explained, told, led) };
}

function answeredObserver({ name, verdict, why, condition, deliveries }: ObserverExplanation): AnsweredObserver {
  // What comes behind it is said of deliveries that were made all the same.
  const [refused, ...rest] = why.split(';');
  const told =
    condition === null || verdict !== 'condition not met'
      ? why
      : [`${refused}: ${partsThatDecided(condition).join(', ')}`, ...rest].join(';');
  return {
    name,
    verdict,
    why: told,
    deliveries: deliveries.map(({ attempts, ...delivery }) => ({ ...delivery, tries: attempts.length })),
  };
}

/** Characters of a part of a condition, or of a value, that are shown: a value may be a whole image. */
const SHOWN = 60;
const PARTS = 3;

/** The smallest parts of a condition that made it what it is, each with its values. */
function partsThatDecided(root: Explanation): string[] {
  const same = root.children.filter(({ value, children }) => value === root.value && children.length > 0);
  if (same.length > 0) return same.flatMap(partsThatDecided).slice(0, PARTS);
  const values = root.children.map(({ text, value, note }) => note ?? `${short(text)} = ${short(value)}`);
  return [`${short(root.text)} is ${root.value}${values.length === 0 ? '' : ` (${values.join(', ')})`}`];
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= SHOWN ? line : `${line.slice(0, SHOWN - 1)}…`;
}

function nextOf(
  { recorded, state, event, changeNumber }: EventExplanation,
  observers: readonly AnsweredObserver[],
  led: boolean,
): string | null {
  const { id } = recorded;
  if (state === 'quarantined' && id === null) return 'dlq list';
  // One that still cannot be read would only fail again.
  if (state === 'quarantined') return event === null ? `dlq show ${id}` : `dlq retry ${id}`;
  const helping = observers.flatMap(({ deliveries }) => deliveries.flatMap(({ next }) => next ?? []));
  if (helping[0] !== undefined) return helping[0];
  if (state === 'waiting') return led ? null : 'start';
  const matched = state === 'passed over' ? observers.find(({ verdict }) => verdict === 'matched') : undefined;
  return matched === undefined ? null : `replay ${argument('--observer', matched.name)} --event ${changeNumber} --dry-run`;
}

/** Of a change of which nothing came because conditions are not met: the command that shows all their values. */
export function lookAt(change: AnsweredChange | undefined): string | null {
  if (change === undefined) return null;
  const came = change.observers.some(({ deliveries }) => deliveries.length > 0);
  const refused = change.observers.some(({ verdict }) => verdict === 'condition not met');
  return refused && !came ? `debug-event --event-id ${change.changeNumber}` : null;
}
