import type { ClientBase } from 'pg';
import { TimeSlice } from '../event/timing';
import type { ChangeRow } from '../change-log/change-row.sql';
import type { EntityEvent } from '../event/entity-event';
import type { ReadVersion, Versions } from '../explain/versions';
import { decode, type Decoded } from '../change-log/decode';
import { isRefusal, type Judgement } from '../matching/matcher';
import { accountedFor, factsOf, type AccountedState, type AuditedChange, type AuditRange } from './audit.sql';
import type { AuditStep } from './background.sql';

/** In the place of an observer: the change itself belongs into quarantine, and is not there. */
export const QUARANTINE = '(quarantine)';

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

interface MissingDelivery {
  readonly observer: string;
  readonly action: string;
}

/** What the event asks for and nothing accounts for. Conditions are evaluated only where something is not on record. */
function missingOf(basis: JudgedVersion, event: EntityEvent, records: Records): MissingDelivery[] {
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

/** Conditions may be evaluated for so long (ms) before deliveries get their turn. */
const SLICE = 4;

/**
 * What of these changes nothing accounts for. What cannot be proved (a version that is not known, or can no longer be read, a condition
 * that reads the clock) is never called missing.
 */
export async function examineChanges(
  client: ClientBase,
  range: Pick<AuditRange, 'stream' | 'retention'> & { readonly maxEventSize: number },
  versions: Versions,
  rows: readonly ChangeRow[],
): Promise<AuditStep['found']> {
  const numbers = rows.map(([number]) => Number(number));
  const facts = new Map((await factsOf(client, range, numbers)).map((fact) => [fact.number, fact]));
  const records = await Records.read(client, range.stream, numbers);
  const found: { changeNumber: number; observer: string; action: string; version: number }[] = [];
  const slice = new TimeSlice(SLICE);
  for (const row of rows) {
    const fact = facts.get(Number(row[0]));
    if (fact === undefined || fact.quarantine !== null || fact.passedOver) continue;
    for (const missing of await missingIn(row, fact, range.maxEventSize, versions, records))
      found.push({ changeNumber: fact.number, ...missing, version: fact.version ?? 0 });
    if (slice.isOver) await slice.giveWay();
  }
  return found;
}

async function missingIn(
  row: ChangeRow,
  { version, number }: AuditedChange,
  maxEventSize: number,
  versions: Versions,
  records: Records,
): Promise<MissingDelivery[]> {
  const decoded = decode(row, maxEventSize);
  if (decoded.is === 'ignored') return [];
  if (decoded.is === 'quarantined')
    return isCertain(decoded) && records.of(number, QUARANTINE, decoded.reason) === undefined
      ? [{ observer: QUARANTINE, action: decoded.reason }]
      : [];
  if (version === null) return [];
  const basis = await versions.of(version);
  return 'problem' in basis ? [] : missingOf(basis, decoded.event, records);
}
