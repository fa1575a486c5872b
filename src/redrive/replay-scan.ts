import type { ClientBase } from 'pg';
import type { Snapshot } from '../checkpoint/cursor';
import type { ObserverDefinition } from '../event/definitions';
import type { PlannedDelivery } from '../event/delivery';
import type { EntityEvent } from '../event/entity-event';
import { SIDE_PAGE_BYTES } from '../event/image-budget';
import type { Matcher } from '../matching/matcher';
import { readSomeChanges } from '../change-log/changes-by-number.sql';
import type { PageSize } from '../change-log/page-size';
import { decode } from '../change-log/decode';
import { findDelivered } from './replay.sql';
import { selectChanges, type ChangeRange } from '../change-log/stored-changes.sql';

/** Few, for the images of all of them are in memory at once. Fewer where they have no room. */
const PAGE = 50;

/** What a dry run has looked at, and its token stands for: the same again gives the same deliveries. */
export interface ReplayPlan {
  readonly stream: string;
  readonly range: ChangeRange;
  readonly observers: readonly string[];
  /** Null: all of the observers'. */
  readonly actions: readonly string[] | null;
  /** What the stream was finished with at that moment. */
  readonly snapshot: Snapshot;
  /** The moment, milliseconds since 1970: what now() means in conditions. */
  readonly now: number;
  /** Hash of the observers file whose conditions were evaluated. */
  readonly config: string;
  /** Leaves out what has been delivered, and what may have been. */
  readonly onlyMissing: boolean;
  /** Of changes of before the tries may no longer be on record: RFC 3339. */
  readonly knownSince: string;
  readonly count: number;
}

/** A delivery that a replay sends. */
export interface ReplayCandidate extends PlannedDelivery {
  /** When it was delivered the last time, RFC 3339; null: as far as is on record it was not. */
  readonly deliveredAt: string | null;
  /** False when its tries may no longer be on record. */
  readonly known: boolean;
}

export interface ReplayPage {
  readonly events: number;
  readonly deliveries: readonly ReplayCandidate[];
  /** Observers whose condition had no answer: nothing is sent. */
  readonly unanswerable: number;
  /** Changes that are no events. */
  readonly unreadable: number;
  /** Number of the last change of the page. */
  readonly last: number;
}

/** The next page of what a replay would send; null behind the last. */
export async function scanReplay(
  client: ClientBase,
  matcher: Matcher,
  plan: Omit<ReplayPlan, 'count'>,
  behind: number,
  maxEventSize: number,
  pageSize: PageSize,
): Promise<ReplayPage | null> {
  const numbers = await selectChanges(client, plan.range, plan.snapshot, behind, PAGE);
  const [first] = numbers;
  if (first === undefined) return null;
  const { rows, rest } = await readSomeChanges(client, numbers, { bytes: SIDE_PAGE_BYTES, eventBytes: maxEventSize }, pageSize);
  const last = numbers[numbers.length - rest.length - 1] ?? first;
  const deliveries: PlannedDelivery[] = [];
  let [events, unanswerable, unreadable] = [0, 0, 0];
  for (const row of rows) {
    const decoded = decode(row, maxEventSize);
    if (decoded.is === 'quarantined') unreadable++;
    if (decoded.is !== 'event') continue;
    events++;
    const results = matcher.match(decoded.event, plan.now).filter(({ observer }) => plan.observers.includes(observer.name));
    unanswerable += results.filter(({ matched }) => matched === null).length;
    for (const { observer, matched } of results) if (matched === true) deliveries.push(...deliveriesOf(decoded.event, observer, plan));
  }
  return { events, deliveries: await candidates(client, deliveries, plan), unanswerable, unreadable, last };
}

async function candidates(
  client: ClientBase,
  deliveries: readonly PlannedDelivery[],
  { onlyMissing, knownSince }: Pick<ReplayPlan, 'onlyMissing' | 'knownSince'>,
): Promise<ReplayCandidate[]> {
  const key = (change: number, observer: string, action: string): string => `${change}\n${observer}\n${action}`;
  const found = await findDelivered(client, [...new Set(deliveries.map(({ event }) => event.changeNumber))]);
  const delivered = new Map(found.map(({ changeNumber, observer, action, at }) => [key(changeNumber, observer, action), at]));
  const all = deliveries.map((delivery) => {
    const { event, observer, action } = delivery;
    const deliveredAt = delivered.get(key(event.changeNumber, observer.name, action.name)) ?? null;
    return { ...delivery, deliveredAt, known: deliveredAt !== null || Date.parse(event.timestamp) >= Date.parse(knownSince) };
  });
  return onlyMissing ? all.filter((one) => one.deliveredAt === null && one.known) : all;
}

function deliveriesOf(event: EntityEvent, observer: ObserverDefinition, { actions }: Pick<ReplayPlan, 'actions'>): PlannedDelivery[] {
  const chosen = observer.actions.filter(({ name }) => actions === null || actions.includes(name));
  return chosen.map((action) => ({ event, observer, action }));
}
