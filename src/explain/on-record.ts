import { deliveryId } from '../event/delivery';
import { recordsOf, stateOf, type DeliveryRecords, type StateOfDelivery } from './delivery-state';
import type { AttemptFact, ChangeFacts, StreamFacts } from './facts.sql';
import { nextFor } from './next-command';

/** One delivery: what has become of it, with every try. */
export interface DeliveryExplanation extends StateOfDelivery {
  readonly id: string;
  readonly action: string;
  /** Null where the configuration no longer has it. */
  readonly type: string | null;
  readonly attempts: readonly AttemptFact[];
  /** The command that helps it on, behind the program's name; null where nothing need be done, or nothing would help. */
  readonly next: string | null;
}

/** Whose deliveries they are. */
export interface Subject {
  readonly id: string;
  readonly entityType: string;
  readonly entityKey: string;
}

export function explainDelivery(
  observer: string,
  action: { readonly name: string; readonly type: string | null },
  records: DeliveryRecords,
  subject: Subject,
  facts: ChangeFacts,
  stream: StreamFacts,
): DeliveryExplanation {
  const lane = { observer, action: action.name, entityType: subject.entityType, entityKey: subject.entityKey };
  const id = deliveryId(subject.id, observer, action.name);
  const state = stateOf(records, facts, stream, lane);
  const next = nextFor(state.state, { ...lane, deliveryId: id, eventId: subject.id, pending: records.pending }, stream);
  return { id, action: action.name, type: action.type, ...state, attempts: records.attempts, next };
}

/** Deliveries on record of observers and actions that are not among those that were asked. @param known `observer/action` */
export function othersOnRecord(
  known: ReadonlySet<string>,
  subject: Subject,
  facts: ChangeFacts,
  stream: StreamFacts,
): { readonly name: string; readonly deliveries: DeliveryExplanation[]; readonly versions: readonly number[] }[] {
  const found = new Map<string, Set<string>>();
  for (const { observer, action } of [...facts.attempts, ...facts.pending, ...facts.deadLetters]) {
    if (known.has(`${observer}/${action}`)) continue;
    found.set(observer, (found.get(observer) ?? new Set()).add(action));
  }
  return [...found].map(([name, actions]) => {
    const deliveries = [...actions].map((action) =>
      explainDelivery(name, { name: action, type: null }, recordsOf(facts, name, action), subject, facts, stream),
    );
    const versions = [...new Set(deliveries.flatMap(({ attempts }) => attempts.map(({ configVersion }) => configVersion)))];
    return { name, deliveries, versions };
  });
}
