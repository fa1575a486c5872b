import type { ActionRunner } from '../actions/action-runner';
import type { Delivery } from '../event/delivery';
import { homeOf } from '../event/endpoint-name';
import type { EndpointGate } from '../resilience/endpoint-gate';
import type { Gates } from '../resilience/endpoint-gates';
import type { Flight } from './flight';
import type { Lanes } from './lanes';

/** Which gate a delivery goes to. Where an endpoint has many servers and data says which, that is known when the delivery is prepared. */
export class Routes {
  constructor(
    private readonly runner: ActionRunner,
    private readonly gates: Gates,
    private readonly lanes: Lanes<Flight>,
  ) {}

  /** That of its endpoint. */
  begin(delivery: Delivery): EndpointGate {
    return this.gates.of(delivery, this.runner.actionOf(delivery).limits);
  }

  /** Where it was claimed, be it a branch of its endpoint; or its endpoint, when that is another one now. */
  claimed(delivery: Delivery, at: string): EndpointGate {
    const gate = this.begin(delivery);
    const there = this.gates.all.get(at);
    return there !== undefined && homeOf(there.name) === gate.name ? there : gate;
  }

  /**
   * From here on the flight belongs to the one server that it goes to.
   *
   * @returns false when it has to go behind others that stand queued for that server, or, claimed elsewhere, would fill memory in front of it
   */
  goOn(flight: Flight): boolean {
    const { delivery, gate: before } = flight;
    const server = this.runner.actionOf(delivery).serverOf?.(delivery) ?? null;
    const gate = server === null ? before : this.gates.branch(before, server);
    if (gate === before) return true;
    before.flights--;
    gate.flights++;
    flight.gate = gate;
    if (gate.mustQueue || (flight.pending && gate.claimable === 0)) return false;
    // An earlier one of its lane, claimed while this one looked something up, has entered behind it.
    const { changeNumber } = delivery.event;
    return flight.redrive || !this.lanes.behind(flight.lane, flight).some((other) => other.delivery.event.changeNumber < changeNumber);
  }
}
