import type { ClientBase } from 'pg';
import { advanceReplay, type ReplayedDelivery } from './replay.sql';
import type { SetStep } from './step';
import { laneOf, type PlannedDelivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import { OperatorError } from '../event/errors';
import { scanReplay, type ReplayPlan } from './replay-scan';
import type { Matcher } from '../matching/matcher';

/** What of a page is not queued yet. */
interface Open {
  readonly deliveries: ReplayedDelivery[];
  /** The last change of the page, with or without deliveries. */
  readonly last: number;
}

/** Works a replay off, whole changes at a time, so that its place in the change log says exactly what has been queued. */
export class ReplayWorker {
  alreadyUnderWay = 0;
  private open: Open | null = null;
  private ended = false;

  constructor(
    private readonly client: ClientBase,
    private readonly matcher: Matcher,
    private readonly plan: ReplayPlan,
    private readonly maxEventSize: number,
    private readonly replay: { readonly id: string; after: number },
  ) {}

  async step(size: number): Promise<SetStep | null> {
    if (this.open === null) await this.read();
    if (this.open === null) return null;
    const { deliveries, last } = this.open;
    let taken = Math.min(size, deliveries.length);
    while (taken < deliveries.length && deliveries[taken]?.changeNumber === deliveries[taken - 1]?.changeNumber) taken++;
    const these = deliveries.splice(0, taken);
    const to = deliveries.length === 0 ? last : (these.at(-1)?.changeNumber ?? last);
    const queued = await advanceReplay(
      this.client,
      { id: this.replay.id, stream: this.plan.stream },
      { from: this.replay.after, to },
      these,
    );
    if (queued === null)
      throw new OperatorError('the same token is being used by somebody else', 'Let that run go on; it sends all of them.');
    this.replay.after = to;
    if (deliveries.length === 0) this.open = null;
    this.alreadyUnderWay += these.length - queued.length;
    return { asked: queued, passed: these.length };
  }

  /** Pages in which nothing matches are passed over. */
  private async read(): Promise<void> {
    let behind = this.replay.after;
    while (!this.ended) {
      const page = await scanReplay(this.client, this.matcher, this.plan, behind, this.maxEventSize);
      if (page === null) this.ended = true;
      else if (page.deliveries.length > 0) {
        this.open = { deliveries: page.deliveries.map((delivery) => this.replayed(delivery)), last: page.last };
        return;
      } else behind = page.last;
    }
  }

  private replayed(delivery: PlannedDelivery): ReplayedDelivery {
    const { event, observer, action } = delivery;
    const endpoint = endpointNameOf(action);
    return { changeNumber: event.changeNumber, observer: observer.name, action: action.name, endpoint, lane: laneOf(delivery) };
  }
}
