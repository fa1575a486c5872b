import type { ActionRunner } from '../actions/action-runner';
import type { ObserverDefinition } from '../event/definitions';
import { laneOf, partyOf, type Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import type { EndpointGate } from '../resilience/endpoint-gate';
import { Lanes } from './lanes';
import { StrictLanes } from './strict-lanes';
import type { Ledger } from '../delivery/ledger';
import { movesBy, type Arrangement } from '../jobs/arrangement';
import type { ClaimedDelivery } from '../jobs/job-queue';
import type { DeliveryKey } from '../delivery/records';
import type { TermContext } from '../event/term-context';
import { Pause } from '../event/timing';
import type { Disposition } from '../resilience/disposition';
import type { Prepared } from '../lookups/enrichment';
import { Flight, type FlightOrigin } from './flight';
import type { Gates } from '../resilience/endpoint-gates';
import { HandOvers } from './hand-overs';
import { keyOf, pendingRecord, Recorder, summary } from './recorder';
import type { DispatcherOptions } from './dispatcher-options';
import type { EventRun } from './event-run';
import { Routes } from './routes';

/** Added to an action's timeout for a claim: the commit of its outcome may have to wait for PostgreSQL. */
const CLAIM_MARGIN = 60_000;
const LEASE_CHECK = 50;

/** Brings deliveries to their endpoints and their outcomes to the ledger: lane → gate → action → disposition → record. */
export class Dispatcher {
  /** The worker's: woken when an endpoint with a backlog in PostgreSQL has places to spare, and when a strict lane wants a new head. */
  readonly worker = new Pause();
  readonly handOvers = new HandOvers();
  readonly strictLanes = new StrictLanes(this.worker);
  readonly gates: Gates;
  private readonly term: TermContext;
  private readonly runner: ActionRunner;
  private readonly ledger: Ledger;
  private readonly recorder: Recorder;
  private readonly lanes = new Lanes<Flight>();
  private readonly routes: Routes;
  /** Deliveries in memory, in the order in which they came. */
  private readonly flights = new Set<Flight>();
  /** Bytes of images that they hold: with as many as IMAGE_BUDGET nothing more is read, nor taken up. */
  bytes = 0;
  private idle: (() => void) | null = null;
  private stopping = false;

  constructor(private readonly options: DispatcherOptions) {
    const { term, runner, record, runs, gates } = options;
    this.term = term;
    this.runner = runner;
    this.ledger = record.ledger;
    this.recorder = new Recorder(record.ledger, term.logger, runs.events, record.pauses);
    this.gates = gates;
    this.routes = new Routes(runner, gates, this.lanes);
  }

  /** The limits of these observers' endpoints hold from now on. @param backlogged endpoints of which deliveries stand queued in PostgreSQL */
  configure(observers: readonly ObserverDefinition[], backlogged: Iterable<string>): void {
    for (const flight of this.flights) flight.most = this.runner.actionOf(flight.delivery).limits.concurrency;
    this.gates.configure(this.runner.actionsOf(observers), backlogged);
  }

  /** A first try, for an event that waits for it. */
  dispatch(delivery: Delivery, run: EventRun): void {
    const party = partyOf(delivery, this.options.fairness);
    const flight = this.flight(delivery, this.routes.begin(delivery), {
      lane: laneOf(delivery),
      party,
      run,
      since: run.readAt,
      appointments: 0,
      redrive: false,
    });
    this.options.runs.enter(run);
    const mustWait = flight.gate.mustQueue || this.isPaused(flight) || (flight.strict && this.strictLanes.isBlocked(flight.lane));
    if (mustWait) this.handOver(flight);
    else this.lanes.enter(flight.lane, flight);
  }

  /** A claimed delivery. @param committed the ledger's last committed group when the claim began: what it could see */
  resume(delivery: Delivery, claimed: ClaimedDelivery, committed: number): void {
    const since = this.term.clock.monotonic() - claimed.elapsed;
    const { lane, party, appointments, redrive } = claimed;
    const flight = this.flight(delivery, this.routes.claimed(delivery, claimed.endpoint), {
      lane,
      party,
      run: null,
      since,
      appointments,
      redrive,
    });
    const overtakes = !flight.redrive && this.handOvers.holds(flight.lane, claimed.changeNumber, committed);
    if (overtakes) this.handOver(flight);
    else this.lanes.enter(flight.lane, flight);
  }

  /** Hands over what has been under way, or has waited, longer than the inline budget: a slow delivery may not hold the stream. */
  handOverSlow(): void {
    const limit = this.term.clock.monotonic() - this.options.inlineBudget;
    for (const flight of this.flights) {
      if (flight.pending) continue;
      if (flight.since > limit) break;
      this.handOver(flight);
    }
    // Claimed ones too: until the breaker lets somebody through, their claims would run out.
    const shut = [...this.gates.all.values()].some((gate) => gate.shut);
    if (shut) for (const flight of this.flights) if (flight.state === 'gate' && flight.gate.shut) this.handOver(flight);
  }

  /** What waits in memory for an observer that was paused goes to PostgreSQL; what runs ends. */
  handOverPaused(): void {
    for (const flight of this.flights) if (flight.waits && this.isPaused(flight)) this.handOver(flight);
  }

  /**
   * Before this order holds: what waits for an action that goes elsewhere then, or is ordered in another way, goes to PostgreSQL, where it
   * is arranged together with what waits there. Otherwise what comes later would find another queue.
   */
  handOverMoved(order: Arrangement): void {
    const moves = movesBy(order);
    for (const flight of this.flights) {
      const { observer, action } = flight.delivery;
      if (flight.waits && !flight.redrive && moves(observer.name, action.name, flight.gate.name, flight.strict)) this.handOver(flight);
    }
  }

  /** For a graceful stop: what waits goes (back) to PostgreSQL at once; what runs may run on. */
  handOverWaiting(): void {
    this.stopping = true;
    for (const flight of this.flights) if (flight.waits) this.handOver(flight);
  }

  /** Whether somebody of this lane is. */
  isInMemory(lane: string): boolean {
    return this.lanes.headOf(lane) !== undefined;
  }

  /** Resolves when no delivery is in memory. */
  whenIdle(): Promise<void> {
    return this.flights.size === 0 ? Promise.resolve() : new Promise((resolve) => (this.idle = resolve));
  }

  close(): void {
    this.gates.close();
  }

  /** What PostgreSQL has on record as running, or will have, and is in memory here: its claim must not run out. */
  get held(): DeliveryKey[] {
    return [...this.flights].filter(({ pending }) => pending).map(({ delivery }) => keyOf(delivery));
  }

  private flight(delivery: Delivery, gate: EndpointGate, origin: FlightOrigin): Flight {
    const flight = new Flight(delivery, gate, origin, this.advance);
    this.flights.add(flight);
    this.bytes += flight.bytes;
    gate.flights++;
    return flight;
  }

  private readonly advance = (flight: Flight): void => {
    if (flight.state === 'lane') return this.prepare(flight);
    // Without a valid lease nothing is begun: another instance may lead already. A renewal lets it go on.
    if (!this.term.mandate.valid) {
      if (!this.term.mandate.lost) setTimeout(() => this.advance(flight), LEASE_CHECK);
      return;
    }
    // It was handed over while it waited for the lease: it has given up its turn, and now its place.
    if (flight.state === 'ended') {
      flight.gate.leave(flight, null);
      return;
    }
    flight.state = 'running';
    flight.startedAt = this.term.clock.monotonic();
    void this.options.dedup.guard(flight.delivery, () => this.runner.run(flight.delivery)).then((outcome) => this.ended(flight, outcome));
  };

  /** Its turn has come. Its look-ups come first: they hold no place at the endpoint. */
  private prepare(flight: Flight): void {
    const { gate } = flight;
    const refused = flight.redrive ? null : this.options.record.gone.refuse(flight.delivery.action);
    const prepared = refused ?? this.options.enrichment.prepare(flight.delivery);
    if (!(prepared instanceof Promise) && !('ok' in prepared)) return this.prepared(flight, prepared);
    flight.state = 'looking up';
    flight.startedAt = this.term.clock.monotonic();
    gate.lookingUp++;
    void Promise.resolve(prepared).then((result) => {
      gate.lookingUp--;
      // Handed over meanwhile: whoever takes it up finds the answers in the cache.
      if (flight.state === 'looking up') this.prepared(flight, result);
      if (gate.isIdle) this.worker.wake();
    });
  }

  private prepared(flight: Flight, result: Prepared): void {
    if ('ok' in result) return this.ended(flight, result);
    flight.delivery = result;
    if (!this.routes.goOn(flight)) return this.handOver(flight);
    flight.state = 'gate';
    flight.gate.enter(flight);
  }

  private handOver(flight: Flight): void {
    const { delivery, gate } = flight;
    const group = this.ledger.gathering;
    const running = flight.state === 'running';
    const behind = flight.strict && !running && this.isBehind(flight);
    const paused = this.isPaused(flight);
    this.ledger.pend({
      ...pendingRecord(flight),
      state: running ? 'running' : behind ? 'waiting' : paused ? 'paused' : 'queued',
      elapsed: running || flight.run === null ? this.term.clock.monotonic() - flight.since : null,
      claim: running ? this.runner.actionOf(delivery).timeout + CLAIM_MARGIN : null,
    });
    flight.pending = true;
    if (!running) flight.state = 'ended';
    if (running) gate.slow++;
    else {
      if (!flight.redrive) this.handOvers.note(flight.lane, delivery.event.changeNumber, group);
      if (!behind && !paused) gate.queued(group);
    }
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

  /** What a person has asked for is made all the same. */
  private isPaused({ delivery, redrive }: Flight): boolean {
    return !redrive && this.options.record.pauses.has(delivery.observer.name);
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
    // Nothing depends on its turn; but somebody may have been put behind it while it was in memory.
    if (flight.redrive || decided.is === 'succeeded' || decided.is === 'skipped')
      this.strictLanes.headLeft(flight.lane, this.ledger.gathering);
    else this.block(flight);
  }

  private ended(flight: Flight, outcome: Outcome): void {
    const { gate } = flight;
    const now = this.term.clock.monotonic();
    const wasRunning = flight.state === 'running';
    const wasHandedOver = flight.pending && flight.run !== null;
    flight.state = 'ended';
    if (wasHandedOver) gate.slow--;
    const decided = flight.disposition(outcome, now, this.stopping);
    if (wasRunning) this.options.record.gone.learn(flight.delivery.action, outcome, flight.redrive);
    this.recorder.ended(flight, outcome, decided, now);
    if (flight.strict) this.settleStrict(flight, decided);
    if (!wasHandedOver) this.release(flight, summary(outcome, decided, now - flight.startedAt));
    // Last: the next of the lane and of the gate may start only when this one's record is in the group before theirs.
    if (wasRunning) gate.leave(flight, outcome);
    if (gate.isIdle) this.worker.wake();
    this.lanes.leave(flight.lane, flight);
    this.left(flight);
  }

  /** The event need not wait for this delivery any longer. */
  private release({ run, delivery }: Flight, what: string): void {
    if (run === null) return;
    this.options.runs.leave(run, `${delivery.observer.name}/${delivery.action.name} ${what}`);
  }

  private left(flight: Flight): void {
    if (this.flights.delete(flight)) {
      this.bytes -= flight.bytes;
      flight.gate.flights--;
    }
    if (!this.isInMemory(flight.lane)) this.strictLanes.vacated(flight.lane, this.ledger.gathering);
    if (this.flights.size > 0) return;
    this.idle?.();
    this.idle = null;
  }
}
