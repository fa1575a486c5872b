import type { ClientBase } from 'pg';
import type { EntityEvent } from '../event/entity-event';
import type { ReadVersion } from '../explain/versions';
import type { Decoded } from '../change-log/decode';
import { isRefusal, type Judgement } from '../matching/matcher';
import { accountedFor, type AccountedState } from './audit.sql';

/** A version that could be read. */
export type JudgedVersion = Extract<ReadVersion, { readonly matcher: unknown }>;

/** What is on record of the deliveries of some changes. Null: tries that settled nothing, and nobody who would try again. */
export class Records {
  private constructor(private readonly states: ReadonlyMap<string, AccountedState | null>) {}

  static async read(client: ClientBase, stream: string, changes: readonly number[]): Promise<Records> {
    const found = await accountedFor(client, stream, changes);
    return new Records(
      new Map(found.map(({ changeNumber, observer, action, state }) => [keyOf(changeNumber, observer, action), state] as const)),
    );
  }

  /** Undefined: nothing is on record. */
  of(change: number, observer: string, action: string): AccountedState | null | undefined {
    return this.states.get(keyOf(change, observer, action));
  }

  /** All deliveries of a change that something is on record of. */
  statesOf(change: number): (AccountedState | null)[] {
    return [...this.states].filter(([key]) => key.startsWith(`${change}\n`)).map(([, state]) => state);
  }
}

function keyOf(change: number, observer: string, action: string): string {
  return `${change}\n${observer}\n${action}`;
}

/**
 * Whether a delivery must be on record. Otherwise nobody can tell, where nothing is: the clock has moved on since (`clock`), or what the
 * file takes from outside may have been another (`outside`).
 */
export function isAskedFor({ observer, verdict, usesClock }: Judgement, { definition }: JudgedVersion): 'yes' | 'no' | 'clock' | 'outside' {
  if (definition.varying.has(observer.name)) return 'outside';
  if (isRefusal(verdict)) return 'no';
  // Each delivery decides for itself, by look-ups, and leaves a record whatever it decides.
  if (verdict === 'undecided') return 'yes';
  if (usesClock) return 'clock';
  return verdict === 'condition not met' ? 'no' : 'yes';
}

/** A change that is too large by the limit of today may have been an event by that of its day. */
export function isCertain(decoded: Extract<Decoded, { is: 'quarantined' }>): boolean {
  return decoded.reason !== 'too_large';
}

export interface MissingDelivery {
  readonly observer: string;
  readonly action: string;
}

/** What the event asks for and nothing accounts for. Conditions are evaluated only where something is not on record. */
export function missingOf(basis: JudgedVersion, event: EntityEvent, records: Records): MissingDelivery[] {
  const missing: MissingDelivery[] = [];
  for (const { observer, judge } of basis.matcher.concerned(event, Date.parse(event.timestamp))) {
    const open = observer.actions.filter(({ name }) => records.of(event.changeNumber, observer.name, name) == null);
    if (open.length === 0) continue;
    const asked = isAskedFor(judge(), basis);
    for (const { name } of open) {
      // Tries that settled nothing want another, whatever was asked for: a replay may have begun it.
      if (asked === 'yes' || records.of(event.changeNumber, observer.name, name) === null)
        missing.push({ observer: observer.name, action: name });
    }
  }
  return missing;
}
