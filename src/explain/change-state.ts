import type { Decoded } from '../change-log/decode';
import { toTheSecond } from '../event/clock';
import { isOfDelivery, whyPassedOver, wholeQuarantine } from './delivery-state';
import type { ChangeFacts, QuarantineFact } from './facts.sql';

/** `quarantined`: the change as a whole, so that no observer was asked; it stays so when a person gives it up. */
export type ChangeState = 'processed' | 'passed over' | 'waiting' | 'quarantined' | 'ignored' | 'history';

/** What became of a change as a whole, and one sentence about it. */
export function stateOfChange(decoded: Decoded, facts: ChangeFacts): { readonly state: ChangeState; readonly why: string } {
  if (facts.history)
    return { state: 'history', why: 'it was written before this product watched the table: no observer has ever been asked about it' };
  if (decoded.is === 'ignored') return { state: 'ignored', why: 'it is no change (NOOP, READ): no observer is asked about it' };
  const quarantine = wholeQuarantine(facts);
  if (quarantine !== null) return { state: 'quarantined', why: whyQuarantined(decoded, quarantine) };
  if (decoded.is === 'quarantined' && !facts.processed)
    return { state: 'waiting', why: `the stream has not come to it, and will put it in quarantine: ${decoded.reason}: ${decoded.message}` };
  if (!facts.processed) return { state: 'waiting', why: 'the stream is not finished with it yet: what follows is what is known so far' };
  if (facts.passedOver !== null)
    return {
      state: 'passed over',
      why: `no observer was asked: ${whyPassedOver(facts.passedOver)}; what is on record was sent all the same`,
    };
  // The limit of its day may have been another one.
  if (decoded.is === 'quarantined')
    return { state: 'processed', why: `the stream is finished with it; today it would be no event: ${decoded.reason}: ${decoded.message}` };
  return { state: 'processed', why: 'the stream is finished with it: every delivery is on record' };
}

function whyQuarantined(decoded: Decoded, { reason, message, resolvedAt, resolution }: QuarantineFact): string {
  const cause = `it could not be made an event: ${reason}: ${message}`;
  if (resolvedAt !== null) return `no observer was asked: ${resolution ?? 'given up'} at ${toTheSecond(resolvedAt)}; ${cause}`;
  return `no observer was asked: ${cause}${decoded.is === 'event' ? '; it can be read by now' : ''}`;
}

export function quarantineNotes({ quarantine, recorded }: ChangeFacts): string[] {
  if (quarantine === null) return [];
  const { createdAt, resolvedAt, resolution, reason, message } = quarantine;
  const what = isOfDelivery(quarantine)
    ? `a delivery of it is in quarantine since ${createdAt}, and the others went on (${reason}: ${message.replaceAll('\n', '; ')})`
    : `in quarantine since ${createdAt}`;
  if (resolvedAt !== null) return [`${what}; ${resolution} at ${resolvedAt}`];
  const id = recorded.id === null ? '' : ` ${recorded.id}`;
  return [`${what}: dlq show${id}, and dlq retry${id} when the cause is gone`];
}
