import { toTheSecond } from '../event/clock';
import { counted } from '../event/counted';
import { laneOptions, type LaneName } from '../event/lane-command';
import { DELIVERY_REASONS } from '../event/entity-event';
import type { AttemptFact, ChangeFacts, DeadLetterFact, PendingFact, QuarantineFact, StreamFacts } from './facts.sql';

/** What has become of a delivery. */
export type DeliveryState =
  | 'delivered'
  | 'skipped'
  /** Its observer is in shadow: nothing was sent. */
  | 'shadow'
  | 'dead'
  /** A dead letter that a person gave up. */
  | 'discarded'
  /** Failed for good, of an observer with `on_failure: log`. */
  | 'logged'
  /** It waits for its time. */
  | 'scheduled'
  | 'queued'
  | 'running'
  | 'retrying'
  | 'waiting'
  | 'parked'
  /** Its observer is paused. */
  | 'paused'
  /** The stream has not come to the event yet. */
  | 'not begun'
  /** What became of it could not be recorded, or could not be read again. */
  | 'quarantined'
  /** A person moved the checkpoint past the event. */
  | 'passed over'
  /** Older than what is kept of attempts. */
  | 'forgotten'
  /** Nothing is on record where something must be. */
  | 'unaccounted';

export interface StateOfDelivery {
  readonly state: DeliveryState;
  /** One sentence: what happened last, and what happens next. */
  readonly why: string;
  /** RFC 3339; null where no try has an appointment. */
  readonly nextTryAt: string | null;
}

/** The records of one delivery. */
export interface DeliveryRecords {
  readonly attempts: readonly AttemptFact[];
  readonly pending: PendingFact | null;
  readonly deadLetter: DeadLetterFact | null;
}

export function recordsOf(facts: ChangeFacts, observer: string, action: string): DeliveryRecords {
  const its = (fact: { readonly observer: string; readonly action: string }): boolean =>
    fact.observer === observer && fact.action === action;
  return {
    attempts: facts.attempts.filter(its),
    pending: facts.pending.find(its) ?? null,
    deadLetter: facts.deadLetters.find(its) ?? null,
  };
}

/** How the messages of shadow deliveries begin (`pipeline/shadow.ts`). */
const SHADOW = 'shadow: ';

/** What the records come to. Never guesses: where there is no record it says so. */
export function stateOf(
  { attempts, pending, deadLetter }: DeliveryRecords,
  facts: ChangeFacts,
  stream: StreamFacts,
  lane: LaneName,
): StateOfDelivery {
  if (pending !== null)
    return { state: pending.state, why: whyPending({ ...pending, ...lane }, attempts.at(-1), stream), nextTryAt: pending.nextAttemptAt };
  const said = (state: DeliveryState, why: string): StateOfDelivery => ({ state, why, nextTryAt: null });
  if (deadLetter !== null && deadLetter.resolvedAt === null)
    return said('dead', `${deadLetter.error}: ${deadLetter.message} (dlq show ${deadLetter.id})`);
  const quarantine = quarantineOf(lane, facts);
  if (quarantine !== null && quarantine.resolvedAt === null)
    return said('quarantined', `${quarantine.reason}: ${quarantine.message}${facts.recorded.id === null ? '' : ` (dlq show ${facts.recorded.id})`}`); // prettier-ignore
  const succeeded = attempts.findLast(({ outcome }) => outcome === 'succeeded');
  if (succeeded !== undefined)
    return said('delivered', `at try ${succeeded.attempt}${shownStatus(succeeded)}, ${toTheSecond(succeeded.finishedAt)}`);
  const shadow = attempts.findLast(({ message }) => message?.startsWith(SHADOW));
  if (shadow !== undefined) return said('shadow', `nothing was sent: ${shadow.error === null ? '' : `${shadow.error}: `}${(shadow.message ?? '').slice(SHADOW.length)}`); // prettier-ignore
  const skipped = attempts.findLast(({ outcome }) => outcome === 'skipped');
  if (skipped !== undefined) return said('skipped', skipped.message ?? 'nothing had to be sent');
  if (deadLetter !== null) return said('discarded', `${deadLetter.resolution ?? 'given up'} at ${toTheSecond(deadLetter.resolvedAt ?? '')}; it died of ${deadLetter.error}: ${deadLetter.message}`); // prettier-ignore
  const dead = attempts.findLast(({ outcome }) => outcome === 'dead');
  if (dead !== undefined) return said('logged', `${dead.error}: ${dead.message}; on_failure: log keeps no dead letter`);
  if (quarantine?.resolvedAt != null) return said('discarded', `${quarantine.resolution ?? 'given up'} at ${toTheSecond(quarantine.resolvedAt)}; it was in quarantine: ${quarantine.reason}: ${quarantine.message}`); // prettier-ignore
  const whole = wholeQuarantine(facts);
  if (whole !== null && whole.resolvedAt === null) return said('not begun', 'its change is in quarantine');
  if (whole !== null) return said('discarded', 'its change was given up in quarantine');
  if (facts.history) return said('not begun', 'nobody was asked: it was written before this product watched the table');
  if (!facts.processed) return said('not begun', 'the stream has not come to the event yet');
  if (facts.passedOver !== null) return said('passed over', whyPassedOver(facts.passedOver));
  if (facts.beyondRetention) return said('forgotten', 'its attempts are older than OBSERVERS_RETENTION, and may have been dropped');
  return said('unaccounted', 'nothing is on record of it: see audit verify');
}

/** What the quarantine says of this delivery alone: of each that is there a line of its own (`ledger.ts`, `job-worker.ts`). */
function quarantineOf({ observer, action }: Pick<LaneName, 'observer' | 'action'>, facts: ChangeFacts): QuarantineFact | null {
  const { quarantine } = facts;
  if (quarantine === null || wholeQuarantine(facts) !== null) return null;
  const named = `${observer}/${action}: `;
  const line = quarantine.message.split('\n').find((one) => one.startsWith(named));
  return line === undefined ? null : { ...quarantine, message: line.slice(named.length) };
}

/** Null also where only a delivery of it is there. */
export function wholeQuarantine({ quarantine }: Pick<ChangeFacts, 'quarantine'>): QuarantineFact | null {
  return quarantine === null || isOfDelivery(quarantine) ? null : quarantine;
}

export function isOfDelivery({ reason }: QuarantineFact): boolean {
  return (DELIVERY_REASONS as readonly string[]).includes(reason);
}

/** In words, of a change that has been. */
export function whyPassedOver({ at, by, reason }: NonNullable<ChangeFacts['passedOver']>): string {
  return `${by} moved the checkpoint past it at ${toTheSecond(at)}${reason === null ? '' : ` (${reason})`}: checkpoint show`;
}

function whyPending(pending: PendingFact & LaneName, last: AttemptFact | undefined, stream: StreamFacts): string {
  const { state, attempt, endpoint, redrive, observer } = pending;
  const failed = last === undefined || last.error === null ? '' : `; the last try failed: ${last.error}: ${last.message}`;
  const held = heldUpBy(endpoint, stream);
  switch (state) {
    case 'running':
      return `${redrive ? 'a redrive' : `try ${attempt}`} is under way${failed}`;
    case 'retrying':
      return `try ${attempt} comes at ${toTheSecond(pending.nextAttemptAt ?? '')}${held === null ? '' : `, and ${held}`}${failed}`;
    case 'scheduled':
      return `it waits for its time, ${toTheSecond(pending.nextAttemptAt ?? '')}${standsFor(pending.collapsed)}`;
    case 'queued':
      return `${redrive ? 'a redrive' : 'it'} waits for a place at the endpoint ${endpoint}${held === null ? '' : `: ${held}`}${failed}`;
    case 'waiting':
      return `it waits behind change ${pending.behindChange} of its strict lane (lanes list)`;
    case 'paused': {
      const { since, by } = stream.paused.find((one) => one.observer === observer) ?? {};
      const who =
        since === undefined
          ? 'was resumed, and goes on in a moment'
          : `is paused since ${toTheSecond(since)} by ${by}: observers resume ${observer}`;
      return `its observer ${who}${failed}`;
    }
    case 'parked':
      return `it has failed for good and holds up its strict lane: lanes resume ${laneOptions(pending)} tries it once more (lanes skip and lanes dead-letter take the same)${failed}`;
  }
}

function standsFor(collapsed: number | null): string {
  return collapsed === null || collapsed === 1 ? '' : `, and stands for ${collapsed} changes (debounce)`;
}

/** What keeps an endpoint from taking more, as far as the database knows; null when nothing is known to. */
function heldUpBy(endpoint: string, { endpoints, gone }: StreamFacts): string | null {
  const since = gone.find((one) => one.endpoint === endpoint)?.since;
  if (since !== undefined) return `the endpoint is gone, it answered 410 at ${toTheSecond(since)}`;
  if (endpoints === null) return 'no service leads the stream';
  const state = endpoints.find(({ name }) => name === endpoint);
  if (state === undefined) return null;
  const { breaker, waiting } = state;
  if (breaker !== null)
    return `its circuit breaker is ${breaker.state} (${breaker.failures} of ${counted(breaker.requests, 'request')} failed)`;
  return `${counted(waiting, 'waits', 'wait')} for a place there already (concurrency, rate_limit)`;
}

function shownStatus({ status }: AttemptFact): string {
  return status === null ? '' : ` with ${status}`;
}
