import type { Database } from '../database/database';
import { advanceReplay, finishReplay, type QueuedDelivery, type ReplayedDelivery, type ReplayState } from './replay.sql';
import { SetTakenBack } from './set-token';
import type { SetStep } from './set-worker';
import { laneOf, type PlannedDelivery } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import { OperatorError } from '../event/errors';
import { FEW_ROWS, PageSize } from '../change-log/page-size';
import { scanReplay, type ReplayPlan } from './replay-scan';
import type { Matcher } from '../matching/matcher';

/** A replay that a dry run has shown. */
export interface ShownReplay extends ReplayPlan {
  /** The token. */
  readonly id: string;
}

/** What of a page is not queued yet. */
interface Open {
  readonly deliveries: ReplayedDelivery[];
  /** The last change of the page, with or without deliveries. */
  readonly last: number;
}

/** Works a replay off, whole changes at a time, so that its place in the change log says exactly what has been queued. */
export class ReplayWorker {
  /** Deliveries that earlier runs have not asked for. */
  readonly total: number;
  alreadyUnderWay = 0;
  /** Why there was no more to do though something is left; null: there was nothing. */
  endedBy: string | null = null;
  private after: number;
  private open: Open | null = null;
  private readonly pageSize = new PageSize(FEW_ROWS);
  private ended = false;

  constructor(
    private readonly database: Database,
    private readonly matcher: Matcher,
    private readonly replay: ShownReplay & { /** For the history of what lies dead. */ readonly who: string },
    private readonly maxEventSize: number,
    { after, asked }: ReplayState,
  ) {
    this.after = after;
    this.total = Math.max(0, replay.count - asked);
  }

  async step(size: number): Promise<SetStep | null> {
    if (this.open === null) await this.read();
    if (this.open === null) return null;
    const { deliveries, last } = this.open;
    let taken = Math.min(size, deliveries.length);
    while (taken < deliveries.length && deliveries[taken]?.changeNumber === deliveries[taken - 1]?.changeNumber) taken++;
    const these = deliveries.splice(0, taken);
    const to = deliveries.length === 0 ? last : (these.at(-1)?.changeNumber ?? last);
    const queued = await this.advance(to, these);
    if (queued === 'taken back') return null;
    if (queued === null)
      throw new OperatorError('the same token is being used by somebody else', 'Let that run go on; it sends all of them.');
    this.after = to;
    if (deliveries.length === 0) this.open = null;
    this.alreadyUnderWay += these.length - queued.length;
    return { asked: queued, passed: these.length };
  }

  private async advance(to: number, these: readonly ReplayedDelivery[]): Promise<QueuedDelivery[] | 'taken back' | null> {
    try {
      return await this.database.use((client) => advanceReplay(client, this.replay, { from: this.after, to }, these));
    } catch (error) {
      if (!(error instanceof SetTakenBack)) throw error;
      this.endedBy = error.message;
      return 'taken back';
    }
  }

  /** All has been asked for: the token is used up. */
  finish(): Promise<void> {
    return this.database.use((client) => finishReplay(client, this.replay.id));
  }

  /** Pages in which nothing matches are passed over. */
  private async read(): Promise<void> {
    let behind = this.after;
    while (!this.ended) {
      const page = await this.database.use((client) =>
        scanReplay(client, this.matcher, this.replay, behind, this.maxEventSize, this.pageSize),
      );
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
