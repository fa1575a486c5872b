import type { ActionRunner } from '../actions/action-runner';
import type { Clock } from '../event/clock';
import { deliveryId, type Delivery } from '../event/delivery';
import type { Failed, Outcome } from '../event/outcome';
import { EndpointGate } from '../delivery/endpoint-gate';
import { Lanes } from '../delivery/lanes';
import type { Ledger } from '../delivery/ledger';
import type { DeadLetterRecord } from '../delivery/records';
import type { ClaimedDelivery } from '../delivery/pending.sql';
import type { Lease } from '../ha/lease';
import { disposition, type Disposition } from '../resilience/disposition';
import type { EventRun } from './event-run';
import { Flight } from './flight';

/** Added to an action's timeout for the claim of a running delivery: a commit of its outcome may have to wait for PostgreSQL. */
const CLAIM_MARGIN = 60_000;
const LEASE_CHECK = 50;

/** Brings deliveries to their endpoints and their outcomes to the ledger: lane → gate → action → disposition → record. */
export class Dispatcher {
  private readonly lanes = new Lanes<Flight>();
  private readonly allGates = new Map<string, EndpointGate>();
  readonly gates: ReadonlyMap<string, EndpointGate> = this.allGates;
  /** Deliveries in memory, in the order in which they came. */
  private readonly flights = new Set<Flight>();
  private idle: (() => void) | null = null;
  private stopping = false;

  /**
   * @param backlog deliveries that stand queued in PostgreSQL, by endpoint
   * @param onFinished called when the last delivery of an event is recorded or handed over
   */
  constructor(
    private readonly runner: ActionRunner,
    private readonly ledger: Ledger,
    private readonly clock: Clock,
    private readonly lease: Lease,
    private readonly inlineBudget: number,
    backlog: ReadonlyMap<string, number>,
    private readonly onFinished: (run: EventRun) => void,
  ) {
    for (const { endpoint, concurrency } of runner.actions) {
      const gate = new EndpointGate(endpoint, concurrency);
      gate.backlog = backlog.get(endpoint) ?? 0;
      this.allGates.set(endpoint, gate);
    }
  }

  /** A first try, for an event that waits for it. */
  dispatch(delivery: Delivery, run: EventRun): void {
    const flight = new Flight(delivery, this.gateOf(delivery), laneOf(delivery), run, run.readAt, false, this.advance);
    run.reading.open++;
    this.flights.add(flight);
    if (flight.gate.mustQueue) this.handOver(flight);
    else this.lanes.enter(flight.lane, flight);
  }

  /** A delivery claimed from PostgreSQL. */
  resume(delivery: Delivery, claimed: ClaimedDelivery): void {
    const since = this.clock.monotonic() - (claimed.elapsed ?? 0);
    const flight = new Flight(delivery, this.gateOf(delivery), claimed.lane, null, since, claimed.redrive, this.advance);
    this.flights.add(flight);
    this.lanes.enter(flight.lane, flight);
  }

  /** Hands over what has been under way, or has waited, longer than the inline budget: a slow delivery may not hold the stream. */
  handOverSlow(): void {
    const limit = this.clock.monotonic() - this.inlineBudget;
    for (const flight of this.flights) {
      if (flight.pending) continue;
      if (flight.since > limit) break;
      this.handOver(flight);
    }
  }

  /** For a graceful stop: what waits goes (back) to PostgreSQL at once; what runs may run on. */
  handOverWaiting(): void {
    this.stopping = true;
    for (const flight of this.flights) if (flight.state === 'lane' || flight.state === 'gate') this.handOver(flight);
  }

  get active(): number {
    return this.flights.size;
  }

  /** Resolves when no delivery is in memory. */
  whenIdle(): Promise<void> {
    return this.flights.size === 0 ? Promise.resolve() : new Promise((resolve) => (this.idle = resolve));
  }

  endpointOf(delivery: Delivery): string {
    return this.gateOf(delivery).name;
  }

  private gateOf(delivery: Delivery): EndpointGate {
    const { endpoint, concurrency } = this.runner.actionOf(delivery);
    // Of an older version of the configuration there may be endpoints that this one no longer has.
    const gate = this.allGates.get(endpoint) ?? new EndpointGate(endpoint, concurrency);
    this.allGates.set(endpoint, gate);
    return gate;
  }

  private readonly advance = (flight: Flight): void => {
    if (flight.state === 'lane') {
      flight.state = 'gate';
      flight.gate.enter(flight);
      return;
    }
    // Without a valid lease nothing is begun: another instance may lead already. A renewal lets it go on.
    if (!this.lease.valid) {
      if (!this.lease.lost) setTimeout(() => this.advance(flight), LEASE_CHECK);
      return;
    }
    // It was handed over while it waited for the lease: it has given up its turn, and now its place.
    if (flight.state === 'ended') {
      flight.gate.leave();
      return;
    }
    flight.state = 'running';
    flight.startedAt = this.clock.monotonic();
    void this.runner.run(flight.delivery).then((outcome) => this.ended(flight, outcome));
  };

  private handOver(flight: Flight): void {
    const { delivery, gate, lane } = flight;
    const running = flight.state === 'running';
    const { timeout } = this.runner.actionOf(delivery);
    this.ledger.pend({
      ...keyOf(delivery),
      endpoint: gate.name,
      lane,
      state: running ? 'running' : 'queued',
      attempt: delivery.attempt,
      elapsed: running || flight.run === null ? this.clock.monotonic() - flight.since : null,
      after: 0,
      claim: running ? timeout + CLAIM_MARGIN : null,
      redrive: flight.redrive,
    });
    flight.pending = true;
    if (running) gate.slow++;
    else this.handOverWaiter(flight);
    this.release(flight, running ? 'slow' : 'queued');
  }

  /** Whoever waits behind it in its lane goes to PostgreSQL too, or it would arrive first. */
  private handOverWaiter(flight: Flight): void {
    const { gate, lane } = flight;
    const behind = this.lanes.behind(lane, flight);
    gate.backlog++;
    gate.giveUp(flight);
    flight.state = 'ended';
    for (const later of behind) if (later.state === 'lane' && !later.pending) this.handOver(later);
    this.lanes.leave(lane, flight);
    this.left(flight);
  }

  private ended(flight: Flight, outcome: Outcome): void {
    const { gate } = flight;
    const now = this.clock.monotonic();
    const wasHandedOver = flight.pending && flight.run !== null;
    flight.state = 'ended';
    if (wasHandedOver) gate.slow--;
    const decided = this.decide(flight, outcome, now);
    this.record(flight, outcome, decided, now);
    if (!wasHandedOver) this.release(flight, summary(outcome, decided, now - flight.startedAt));
    // Last: the next of the lane and of the gate may start only when this one's record is in the group before theirs.
    gate.leave();
    this.lanes.leave(flight.lane, flight);
    this.left(flight);
  }

  private decide(flight: Flight, outcome: Outcome, now: number): Disposition {
    const { observer, attempt } = flight.delivery;
    if (!outcome.ok && outcome.error === 'interrupted' && this.stopping) return { is: 'retry', after: 0, counts: false };
    const decided = disposition(outcome, observer.retry, { attempt, elapsed: now - flight.since, random: Math.random() });
    if (flight.redrive && decided.is === 'retry') return { is: 'dead', because: 'a redrive is one try' };
    return decided;
  }

  private record(flight: Flight, outcome: Outcome, decided: Disposition, now: number): void {
    const { delivery } = flight;
    const key = keyOf(delivery);
    const recorded = outcome.ok && outcome.recorded === true;
    if (!recorded)
      this.ledger.attempt({
        changeNumber: key.changeNumber,
        observer: key.observer,
        action: key.action,
        attempt: delivery.attempt,
        outcome: decided.is,
        error: outcome.ok ? null : outcome.error,
        message: outcome.ok ? null : outcome.message,
        status: outcome.status,
        response: outcome.ok ? null : outcome.excerpt,
        durationMs: now - flight.startedAt,
        finishedAt: now,
        configVersion: delivery.configVersion ?? null,
      });
    if (decided.is === 'retry') {
      this.ledger.pend({
        ...key,
        endpoint: flight.gate.name,
        lane: flight.lane,
        // What we cut off ourselves keeps its turn in its lane; what failed has lost it.
        state: decided.counts || outcome.ok || outcome.error !== 'interrupted' ? 'retrying' : 'queued',
        attempt: delivery.attempt + (decided.counts ? 1 : 0),
        elapsed: now - flight.since,
        after: decided.after,
        claim: null,
        redrive: flight.redrive,
      });
      return;
    }
    if (flight.pending) this.ledger.end(key);
    if (decided.is === 'dead') {
      const { error, message, status, excerpt } = outcome as Failed;
      this.ledger.bury(
        deadLetter(delivery, flight.gate.name, {
          error,
          message: `${message}; ${decided.because}`,
          status,
          response: excerpt,
          attempts: delivery.attempt,
        }),
      );
    } else if (flight.redrive) this.ledger.redriven(deliveryId(delivery.event.id, delivery.observer.name, delivery.action.name));
  }

  /** The event need not wait for this delivery any longer. */
  private release({ run, delivery }: Flight, what: string): void {
    if (run === null) return;
    run.outcomes.push(`${delivery.observer.name}/${delivery.action.name} ${what}`);
    if (--run.reading.open === 0) this.onFinished(run);
  }

  private left(flight: Flight): void {
    this.flights.delete(flight);
    if (this.flights.size > 0 || this.idle === null) return;
    this.idle();
    this.idle = null;
  }
}

/** @param why what is kept of the failure; `attempts` is 0 when it was never tried */
export function deadLetter(
  { event, observer, action, configVersion = null }: Omit<Delivery, 'configVersion'> & { readonly configVersion?: number | null },
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
    ...why,
  };
}

function keyOf({ event, observer, action }: Delivery): { changeNumber: number; observer: string; action: string } {
  return { changeNumber: event.changeNumber, observer: observer.name, action: action.name };
}

/** Per entity and action, so that a slow action of one observer does not hold up the others'. */
export function laneOf({ event, observer, action }: Delivery): string {
  return `${event.entityType}\n${event.entityKey}\n${observer.name}\n${action.name}`;
}

function summary(outcome: Outcome, decided: Disposition, duration: number): string {
  const status = outcome.status === null ? '' : ` ${outcome.status}`;
  const error = outcome.ok ? '' : ` ${outcome.error}`;
  const next = decided.is === 'retry' ? `, next in ${Math.round(decided.after)} ms` : '';
  return `${decided.is}${status}${error} ${Math.round(duration)} ms${next}`;
}
