import { Injectable } from '@nestjs/common';
import { EndpointGate, type BreakerEvents } from './endpoint-gate';
import type { BreakerState, EndpointState } from './endpoint-state';
import type { Clock } from '../event/clock';
import type { ActionDefinition, EndpointLimits } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import { branchOf, endpointNameOf, homeOf } from '../event/endpoint-name';

/** Something that is held to the limits of its endpoint. */
interface Limited {
  readonly limits: EndpointLimits;
}

/**
 * Branches that have a gate at once. Who subscribes to a push service says where it is, and may say a new one each time: beyond this number a
 * server shares the gate of its endpoint, until one that nobody uses makes room.
 */
const MOST_BRANCHES = 100;

/** The gates of a term: what an endpoint was like in an earlier one is not known. */
export class Gates {
  private readonly gates = new Map<string, EndpointGate>();
  /** Names of those of branches; what was not asked for longest comes first. */
  private readonly branches = new Set<string>();

  constructor(
    private readonly clock: Clock,
    private readonly events: BreakerEvents,
  ) {}

  /**
   * One for each endpoint of these actions, with its limits. An endpoint that they no longer have keeps its gate: deliveries may be on their way to it.
   *
   * @param backlogged endpoints of which deliveries stand queued in PostgreSQL
   */
  configure(actions: Iterable<readonly [ActionDefinition, Limited]>, backlogged: Iterable<string>): void {
    for (const [endpoint, limits] of widest(actions)) {
      const gate = this.named(endpoint, limits);
      if (gate.limits !== limits) gate.change(limits);
    }
    for (const endpoint of backlogged) this.queued(endpoint);
  }

  /** Deliveries of this endpoint, or branch, stand queued in PostgreSQL. */
  queued(name: string): void {
    const home = this.gates.get(homeOf(name));
    const gate = this.gates.get(name) ?? (home === undefined ? undefined : (this.opened(name, home) ?? home));
    gate?.queued();
  }

  /** The gate of one server of an endpoint; that of the endpoint itself when too many have one. */
  branch(gate: EndpointGate, server: string): EndpointGate {
    const home = this.named(homeOf(gate.name), gate.limits);
    return this.opened(branchOf(home.name, server), home) ?? home;
  }

  get all(): ReadonlyMap<string, EndpointGate> {
    return this.gates;
  }

  of({ action }: Delivery, limits: EndpointLimits): EndpointGate {
    return this.named(endpointNameOf(action), limits);
  }

  /** The breaker of every endpoint that has one. @param now monotonic time */
  breakers(now: number): BreakerState[] {
    return [...this.gates.values()].flatMap(({ name, breaker }) =>
      breaker === null ? [] : [{ name, state: breaker.state, ...breaker.counts, probeIn: breaker.probeIn(now) }],
    );
  }

  /** Endpoints that are not simply working. @param now monotonic time */
  troubled(now: number): EndpointState[] {
    return [...this.gates.values()].flatMap(({ name, breaker, waitingCount }): EndpointState[] => {
      if (breaker === null || breaker.state === 'closed') return waitingCount === 0 ? [] : [{ name, waiting: waitingCount, breaker: null }];
      const probeIn = breaker.probeIn(now) ?? 0;
      return [{ name, waiting: waitingCount, breaker: { state: breaker.state, probeIn, ...breaker.counts } }];
    });
  }

  /** Closes a breaker. @returns what it was, or null when there is no such breaker */
  resetBreaker(endpoint: string): BreakerState['state'] | null {
    return this.gates.get(endpoint)?.breaker?.reset() ?? null;
  }

  /** No timer of an endpoint outlives the term. */
  close(): void {
    for (const gate of this.gates.values()) gate.close();
  }

  /** Null when there is no room for one more. */
  private opened(name: string, home: EndpointGate): EndpointGate | null {
    if (!this.gates.has(name) && this.branches.size >= MOST_BRANCHES && !this.dropUnused()) return null;
    this.branches.delete(name);
    this.branches.add(name);
    return this.named(name, home.limits);
  }

  /** What is waited for at a gate, or stands queued for it, keeps it. Its breaker does not: whoever is there anew is heard anew. */
  private dropUnused(): boolean {
    for (const name of this.branches) {
      const gate = this.gates.get(name);
      if (gate?.isUnused === false) continue;
      gate?.close();
      this.gates.delete(name);
      return this.branches.delete(name);
    }
    return false;
  }

  /** An older version of the configuration may have endpoints that this one no longer has. */
  private named(endpoint: string, limits: EndpointLimits): EndpointGate {
    const gate = this.gates.get(endpoint) ?? new EndpointGate(endpoint, limits, this.clock, this.events);
    this.gates.set(endpoint, gate);
    return gate;
  }
}

/** The limits with the most places, among actions that share an endpoint: batches take more than single requests. Connections are counted by the sender. */
function widest(actions: Iterable<readonly [ActionDefinition, Limited]>): Map<string, EndpointLimits> {
  const found = new Map<string, EndpointLimits>();
  for (const [action, { limits }] of actions) {
    const endpoint = endpointNameOf(action);
    if (limits.concurrency > (found.get(endpoint)?.concurrency ?? 0)) found.set(endpoint, limits);
  }
  return found;
}

/** Limiter, breaker and places of every endpoint. */
@Injectable()
export class EndpointGates {
  open(clock: Clock, events: BreakerEvents): Gates {
    return new Gates(clock, events);
  }
}
