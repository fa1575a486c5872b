import type { Delivery } from '../event/delivery';
import type { EndpointGate, GateTask } from '../resilience/endpoint-gate';
import type { Outcome } from '../event/outcome';
import { disposition, type Disposition } from '../resilience/disposition';
import type { EventRun } from './event-run';

/** Where a delivery comes from: the stream, or the queue. */
export interface FlightOrigin {
  readonly lane: string;
  readonly party: string;
  /** The event whose end waits for this delivery; null for a claimed one. */
  readonly run: EventRun | null;
  /** Monotonic time at which its first try began, or would have. */
  readonly since: number;
  /** How often in a row the receiver has asked for a later time so far. */
  readonly appointments: number;
  /** A person asked for it: one try. */
  readonly redrive: boolean;
}

/**
 * One delivery in memory. Written by the dispatcher only.
 *
 *   lane (waits for the entity's earlier deliveries) → looking up (where it has look-ups) → gate (waits for a place at the endpoint) → running → ended
 *
 * At any time before it has ended it may be handed over: PostgreSQL then has it on record as pending, and the event no longer waits for it.
 */
export class Flight implements GateTask {
  state: 'lane' | 'looking up' | 'gate' | 'running' | 'ended' = 'lane';
  /** Whether a row of pending_delivery stands for it. */
  pending: boolean;
  startedAt = 0;
  /** Set by a reload. */
  most = Infinity;

  readonly lane: string;
  readonly party: string;
  readonly run: EventRun | null;
  readonly since: number;
  readonly appointments: number;
  readonly redrive: boolean;

  constructor(
    /** From its look-ups on, with what they found. */
    public delivery: Delivery,
    /** From then on that of the one server that it goes to, where its endpoint has several. */
    public gate: EndpointGate,
    { lane, party, run, since, appointments, redrive }: FlightOrigin,
    private readonly advance: (flight: Flight) => void,
  ) {
    this.lane = lane;
    this.party = party;
    this.run = run;
    this.since = since;
    this.appointments = appointments;
    this.redrive = redrive;
    this.pending = run === null;
  }

  /** Its observer has `ordering: strict`. */
  get strict(): boolean {
    return this.delivery.observer.ordering === 'strict';
  }

  /** Of the images that it holds in memory. */
  get bytes(): number {
    const { data, before } = this.delivery.event;
    return (data?.text.length ?? 0) + (before?.text.length ?? 0);
  }

  /** Neither under way nor through. */
  get waits(): boolean {
    return this.state !== 'running' && this.state !== 'ended';
  }

  start(): void {
    this.advance(this);
  }

  /** What becomes of it after a try. @param now monotonic time @param stopping whether the process is, which cuts tries off */
  disposition(outcome: Outcome, now: number, stopping: boolean): Disposition {
    const { observer, attempt } = this.delivery;
    const { appointments, since } = this;
    if (!outcome.ok && outcome.error === 'interrupted' && stopping)
      return { is: 'retry', after: 0, counts: false, appointments, note: null };
    const decided = disposition(outcome, observer.retry, { attempt, appointments, elapsed: now - since, random: Math.random() });
    if (this.redrive && decided.is === 'retry') return { is: 'dead', because: 'a redrive is one try', note: null };
    return decided;
  }
}
