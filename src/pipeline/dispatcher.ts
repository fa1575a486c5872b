import type { Logger } from 'pino';
import type { ActionRunner } from '../actions/action-runner';
import type { Clock } from '../event/clock';
import type { EndpointLimits } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import { EndpointGate } from '../delivery/endpoint-gate';
import { Lanes } from '../delivery/lanes';
import { StrictLanes } from '../delivery/strict-lanes';
import type { Ledger } from '../delivery/ledger';
import type { ClaimedDelivery } from '../delivery/pending.sql';
import type { DeadLetterRecord, DeliveryKey } from '../delivery/records';
import type { Lease } from '../ha/lease';
import { disposition, type Disposition } from '../resilience/disposition';
import type { Deduplication } from './deduplication';
import type { EventRun } from './event-run';
import { Flight } from './flight';
import { keyOf, pendingRecord, Recorder } from './recorder';

/** Added to an action's timeout for the claim of a running delivery: a commit of its outcome may have to wait for PostgreSQL. */
const CLAIM_MARGIN = 60_000;
const LEASE_CHECK = 50;

export interface DispatcherOptions {
  readonly runner: ActionRunner;
  readonly dedup: Deduplication;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lease: Lease;
  /** Milliseconds for which a delivery may hold the stream. */
  readonly inlineBudget: number;
  /** Deliveries that stand queued in PostgreSQL, by endpoint. */
  readonly backlog: ReadonlyMap<string, number>;
  /** Lanes of strict observers of which something stands in PostgreSQL. */
  readonly blocked: Iterable<string>;
  /** Called when the last delivery of an event is recorded or handed over. */
  readonly onFinished: (run: EventRun) => void;
  /** Called when an endpoint's circuit breaker has changed its state. */
  readonly onBreaker: (gate: EndpointGate) => void;
  /** Called with what has failed for good, for observers that ask for alerts. */
  readonly onAlert: (record: DeadLetterRecord) => void;
}

/** Brings deliveries to their endpoints and their outcomes to the ledger: lane → gate → action → disposition → record. */
export class Dispatcher {
  private readonly runner: ActionRunner;
  private readonly ledger: Ledger;
  private readonly clock: Clock;
  private readonly lease: Lease;
  private readonly inlineBudget: number;
  private readonly onFinished: (run: EventRun) => void;
  private readonly onBreaker: (gate: EndpointGate) => void;
  private readonly recorder: Recorder;
  private readonly dedup: Deduplication;
  private readonly lanes = new Lanes<Flight>();
  readonly strictLanes: StrictLanes;
  private readonly allGates = new Map<string, EndpointGate>();
  readonly gates: ReadonlyMap<string, EndpointGate> = this.allGates;
  /** Deliveries in memory, in the order in which they came. */
  private readonly flights = new Set<Flight>();
  private idle: (() => void) | null = null;
  /** Called when an endpoint with a backlog in PostgreSQL has places to spare. */
  onRoom: () => void = () => undefined;
  private stopping = false;

  constructor({
    runner,
    dedup,
    ledger,
    clock,
    lease,
    inlineBudget,
    backlog,
    blocked,
    logger,
    onFinished,
    onBreaker,
    onAlert,
  }: DispatcherOptions) {
    this.runner = runner;
    this.ledger = ledger;
    this.dedup = dedup;
    this.recorder = new Recorder(ledger, logger, onAlert);
    this.strictLanes = new StrictLanes(blocked);
    this.clock = clock;
    this.lease = lease;
    this.inlineBudget = inlineBudget;
    this.onFinished = onFinished;
    this.onBreaker = onBreaker;
    for (const { endpoint, limits } of runner.actions) {
      const gate = this.gateFor(endpoint, limits);
      gate.backlog = backlog.get(endpoint) ?? 0;
    }
  }

  /** A first try, for an event that waits for it. */
  dispatch(delivery: Delivery, run: EventRun): void {
    const flight = new Flight(delivery, this.gateOf(delivery), laneOf(delivery), run, run.readAt, false, this.advance);
    run.reading.open++;
    this.flights.add(flight);
    if (flight.gate.mustQueue || (flight.strict && this.strictLanes.isBlocked(flight.lane))) this.handOver(flight);
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
    // Claimed ones too: until the breaker lets somebody through, their claims would run out.
    const shut = [...this.gates.values()].some((gate) => gate.shut);
    if (shut) for (const flight of this.flights) if (flight.state === 'gate' && flight.gate.shut) this.handOver(flight);
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

  /** No timer of an endpoint outlives the term. */
  close(): void {
    for (const gate of this.gates.values()) gate.close();
  }

  /** What PostgreSQL has on record as running, or will have, and is in memory here: its claim must not run out. */
  get held(): DeliveryKey[] {
    return [...this.flights].filter(({ pending }) => pending).map(({ delivery }) => keyOf(delivery));
  }

  endpointOf(delivery: Delivery): string {
    return this.gateOf(delivery).name;
  }

  private gateOf(delivery: Delivery): EndpointGate {
    const { endpoint, limits } = this.runner.actionOf(delivery);
    return this.gateFor(endpoint, limits);
  }

  /** An older version of the configuration may have endpoints that this one no longer has. */
  private gateFor(endpoint: string, limits: EndpointLimits): EndpointGate {
    const gate = this.allGates.get(endpoint) ?? new EndpointGate(endpoint, limits, this.clock, this.onBreaker);
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
      flight.gate.leave(flight, null);
      return;
    }
    flight.state = 'running';
    flight.startedAt = this.clock.monotonic();
    void this.dedup.guard(flight.delivery, () => this.runner.run(flight.delivery)).then((outcome) => this.ended(flight, outcome));
  };

  private handOver(flight: Flight): void {
    const { delivery, gate } = flight;
    const running = flight.state === 'running';
    const behind = flight.strict && !running && this.isBehind(flight);
    this.ledger.pend({
      ...pendingRecord(flight),
      state: running ? 'running' : behind ? 'waiting' : 'queued',
      elapsed: running || flight.run === null ? this.clock.monotonic() - flight.since : null,
      claim: running ? this.runner.actionOf(delivery).timeout + CLAIM_MARGIN : null,
    });
    flight.pending = true;
    if (!running) flight.state = 'ended';
    if (running) gate.slow++;
    else if (!behind) gate.backlog++;
    if (flight.strict) this.block(flight);
    if (!running) this.handOverWaiter(flight);
    this.release(flight, running ? 'slow' : 'queued');
  }

  /** Whoever waits behind it in its lane goes (back) to PostgreSQL too, claimed or not, or it would arrive first. */
  private handOverWaiter(flight: Flight): void {
    const { gate, lane } = flight;
    gate.giveUp(flight);
    this.handOverBehind(flight);
    this.lanes.leave(lane, flight);
    this.left(flight);
  }

  private handOverBehind(flight: Flight): void {
    for (const later of this.lanes.behind(flight.lane, flight)) if (later.state === 'lane') this.handOver(later);
  }

  /** Whether somebody of its strict lane is before it: in memory, or, for one that comes new, in PostgreSQL. */
  private isBehind(flight: Flight): boolean {
    const head = this.lanes.headOf(flight.lane);
    return head === undefined ? this.strictLanes.isBlocked(flight.lane) : head !== flight;
  }

  /** A row of a strict lane stands in PostgreSQL: in memory there may be its head, and nobody else, or the order would be lost. */
  private block({ lane }: Flight): void {
    this.strictLanes.block(lane, this.ledger.gathering);
    const head = this.lanes.headOf(lane);
    if (head !== undefined) this.handOverBehind(head);
  }

  private settleStrict(flight: Flight, decided: Disposition): void {
    if (flight.redrive) return;
    if (decided.is === 'succeeded' || decided.is === 'skipped') this.strictLanes.headLeft(flight.lane, this.ledger.gathering);
    else this.block(flight);
  }

  private ended(flight: Flight, outcome: Outcome): void {
    const { gate } = flight;
    const now = this.clock.monotonic();
    const wasHandedOver = flight.pending && flight.run !== null;
    flight.state = 'ended';
    if (wasHandedOver) gate.slow--;
    const decided = this.decide(flight, outcome, now);
    this.recorder.ended(flight, outcome, decided, now);
    if (flight.strict) this.settleStrict(flight, decided);
    if (!wasHandedOver) this.release(flight, summary(outcome, decided, now - flight.startedAt));
    // Last: the next of the lane and of the gate may start only when this one's record is in the group before theirs.
    gate.leave(flight, outcome);
    if (gate.isIdle) this.onRoom();
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
