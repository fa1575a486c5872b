import type { Logger } from 'pino';
import type { Ledger } from '../delivery/ledger';
import type { Pauses } from '../delivery/pauses';
import type { DeadLetterRecord, DeliveryKey, PendingRecord } from '../delivery/records';
import { deliveryId, type Delivery } from '../event/delivery';
import { homeOf } from '../event/endpoint-name';
import type { Failed, Outcome } from '../event/outcome';
import type { Disposition } from '../resilience/disposition';
import type { Flight } from './flight';
import type { PipelineEvents } from './pipeline-events';

/** Turns what became of a try into the ledger's records. */
export class Recorder {
  constructor(
    private readonly ledger: Ledger,
    private readonly logger: Logger,
    private readonly events: Pick<PipelineEvents, 'tried' | 'buried'>,
    private readonly pauses: Pauses,
  ) {}

  /** @param now monotonic time at which the try ended */
  ended(flight: Flight, outcome: Outcome, decided: Disposition, now: number): void {
    const { delivery } = flight;
    // Waiting for a dedup key is no attempt.
    const onRecord = outcome.ok ? outcome.recorded === true : outcome.error === 'busy';
    if (!onRecord) this.attempt(flight, outcome, decided, now);
    if (decided.is === 'retry') this.again(flight, outcome, decided, now);
    else if (decided.is === 'dead') this.dead(flight, outcome as Failed, decided);
    else {
      if (flight.pending) this.ledger.end(keyOf(delivery));
      if (flight.redrive)
        this.ledger.redriven({ ...keyOf(delivery), id: deliveryId(delivery.event.id, delivery.observer.name, delivery.action.name) });
    }
  }

  private attempt({ delivery, startedAt }: Flight, outcome: Outcome, decided: Disposition, now: number): void {
    this.events.tried({ delivery, outcome, decided, duration: now - startedAt });
    // Spelled out: with a spread V8 takes 11 µs of the 115 an event for this object.
    this.ledger.attempt({
      changeNumber: delivery.event.changeNumber,
      observer: delivery.observer.name,
      action: delivery.action.name,
      attempt: delivery.attempt,
      outcome: decided.is,
      error: outcome.ok ? null : outcome.error,
      message: outcome.ok ? (outcome.skipped ?? null) : noted(outcome.message, decided),
      status: outcome.status,
      response: outcome.ok ? null : outcome.excerpt,
      durationMs: now - startedAt,
      finishedAt: now,
      configVersion: delivery.configVersion,
    });
  }

  private again(flight: Flight, outcome: Outcome, { after, counts, appointments }: Disposition & { is: 'retry' }, now: number): void {
    const state = this.waitingState(flight, counts || outcome.ok || outcome.error !== 'interrupted');
    if (state === 'queued') flight.gate.queued(this.ledger.gathering);
    this.ledger.pend({
      ...pendingRecord(flight),
      state,
      attempt: flight.delivery.attempt + (counts ? 1 : 0),
      appointments,
      elapsed: now - flight.since,
      after,
    });
  }

  /** What we cut off ourselves keeps its turn in its lane; what failed has lost it. */
  private waitingState({ delivery, redrive }: Flight, failed: boolean): 'retrying' | 'queued' | 'paused' {
    if (!redrive && this.pauses.has(delivery.observer.name)) return 'paused';
    return failed ? 'retrying' : 'queued';
  }

  private dead(flight: Flight, { error, message, status, excerpt }: Failed, decided: Disposition & { is: 'dead' }): void {
    const { delivery } = flight;
    const { onFailure } = delivery.observer;
    const why = { error, message: `${noted(message, decided)}; ${decided.because}`, status, response: excerpt, attempts: delivery.attempt };
    const letter = deadLetter(delivery, homeOf(flight.gate.name), why);
    this.events.buried(letter, delivery);
    // Whoever is behind it in a strict lane must not overtake it, dead or not: a person decides.
    if (flight.strict && !flight.redrive) {
      this.ledger.pend({ ...pendingRecord(flight), state: 'parked', attempt: delivery.attempt + 1, appointments: 0 });
      return;
    }
    if (flight.pending) this.ledger.end(keyOf(delivery));
    // A person who redrives a dead letter is not left without it.
    if (onFailure !== 'log' || flight.redrive) return this.ledger.bury(letter);
    const { id, eventId, observer, action, entityType, entityKey, attempts } = letter;
    const fields = { delivery: id, event: eventId, observer, action, entity: entityType, key: entityKey, error, status, attempts };
    this.logger.error(fields, `a delivery has failed for good (on_failure: log): ${letter.message}`);
  }
}

function noted(message: string, decided: Disposition): string {
  return 'note' in decided && decided.note !== null ? `${message}; ${decided.note}` : message;
}

/** A flight's row while it waits; the rest is said by the caller. */
export function pendingRecord(flight: Flight): PendingRecord {
  const { delivery, gate, lane, party, strict, appointments, redrive } = flight;
  return {
    ...keyOf(delivery),
    endpoint: gate.name,
    lane,
    party,
    strict,
    state: 'queued',
    attempt: delivery.attempt,
    appointments,
    elapsed: null,
    after: 0,
    claim: null,
    redrive,
  };
}

/** Names of an observer and an action that may no longer be configured. */
export interface DeliveryNames {
  readonly observer: { readonly name: string };
  readonly action: { readonly name: string };
}

/** @param why what is kept of the failure; `attempts` is 0 when it was never tried */
export function deadLetter(
  { event, observer, action, configVersion }: Pick<Delivery, 'event' | 'configVersion'> & DeliveryNames,
  endpoint: string,
  why: Pick<DeadLetterRecord, 'error' | 'message' | 'status' | 'response' | 'attempts'>,
): DeadLetterRecord {
  return {
    id: deliveryId(event.id, observer.name, action.name),
    changeNumber: event.changeNumber,
    eventId: event.id,
    observer: observer.name,
    action: action.name,
    endpoint,
    entityType: event.entityType,
    entityKey: event.entityKey,
    configVersion,
    collapsed: event.collapsed ?? null,
    ...why,
  };
}

export function keyOf({ event, observer, action }: Delivery): DeliveryKey {
  return { changeNumber: event.changeNumber, observer: observer.name, action: action.name };
}

/** For the event's one line in the log. */
export function summary(outcome: Outcome, decided: Disposition, duration: number): string {
  const status = outcome.status === null ? '' : ` ${outcome.status}`;
  const error = outcome.ok ? '' : ` ${outcome.error}`;
  const next = decided.is === 'retry' ? `, next in ${Math.round(decided.after)} ms` : '';
  return `${decided.is}${status}${error} ${Math.round(duration)} ms${next}`;
}
