import type { ActionRunner } from '../actions/action-runner';
import { EndpointGate } from '../delivery/endpoint-gate';
import type { Clock } from '../event/clock';
import type { EndpointLimits } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';

/** The gate of every endpoint. */
export class Gates {
  private readonly gates = new Map<string, EndpointGate>();

  /** @param backlog deliveries that stand queued in PostgreSQL, by endpoint @param onBreaker called when a breaker has changed its state */
  constructor(
    runner: ActionRunner,
    private readonly clock: Clock,
    backlog: ReadonlyMap<string, number>,
    private readonly onBreaker: (gate: EndpointGate) => void,
  ) {
    for (const [endpoint, limits] of widest(runner.actions)) this.named(endpoint, limits).backlog = backlog.get(endpoint) ?? 0;
  }

  get all(): ReadonlyMap<string, EndpointGate> {
    return this.gates;
  }

  of({ action }: Delivery, limits: EndpointLimits): EndpointGate {
    return this.named(endpointNameOf(action), limits);
  }

  /** No timer of an endpoint outlives the term. */
  close(): void {
    for (const gate of this.gates.values()) gate.close();
  }

  /** An older version of the configuration may have endpoints that this one no longer has. */
  private named(endpoint: string, limits: EndpointLimits): EndpointGate {
    const gate = this.gates.get(endpoint) ?? new EndpointGate(endpoint, limits, this.clock, this.onBreaker);
    this.gates.set(endpoint, gate);
    return gate;
  }
}

/** Of actions that share an endpoint, batches take more places than single requests do; its connections are counted by the sender. */
function widest(actions: ActionRunner['actions']): Map<string, EndpointLimits> {
  const found = new Map<string, EndpointLimits>();
  for (const [action, { limits }] of actions) {
    const endpoint = endpointNameOf(action);
    if (limits.concurrency > (found.get(endpoint)?.concurrency ?? 0)) found.set(endpoint, limits);
  }
  return found;
}
