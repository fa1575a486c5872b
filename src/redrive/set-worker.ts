import type { ClientBase } from 'pg';
import type { Database } from '../database/database';
import type { AskedDelivery } from './asked.sql';
import { readSet, type DeadLetterSet, type SetItem, type SetPlace } from './dead-letter-sets.sql';
import type { RedriveAnswer } from './redrive.sql';
import { SetTakenBack } from './set-token';

/** Names of items read at once; they are acted on in smaller parts. */
const PAGE = 1_000;

/** What one step through many items did; null in its place means that nothing is left. */
export interface SetStep {
  /** To be watched until they have ended. */
  readonly asked: readonly AskedDelivery[];
  /** How far this brings us, on the scale of the total. */
  readonly passed: number;
}

export interface SetTotals {
  /** A retry was asked for before; `running` of them are being tried at the moment. */
  alreadyUnderWay: number;
  running: number;
  /** Delivered, discarded or tried by somebody else since the dry run. */
  left: number;
}

/** Works a set off, page after page. Items that have left it since the dry run are not touched: they are only counted. */
export class SetWorker {
  readonly totals: SetTotals;
  private buffered: SetItem[] = [];
  private behind: SetPlace | null = null;
  private takenBack: string | null = null;

  /** @param total how many were still as the dry run showed them when the work began */
  constructor(
    private readonly database: Database,
    private readonly set: DeadLetterSet,
    readonly total: number,
    private readonly act: (client: ClientBase, ids: readonly string[]) => Promise<RedriveAnswer>,
  ) {
    this.totals = { alreadyUnderWay: 0, running: 0, left: set.count - total };
  }

  /** Why there was no more to do though something is left; null: there was nothing. */
  get endedBy(): string | null {
    return this.takenBack;
  }

  /** How many the dry run showed. */
  get count(): number {
    return this.set.count;
  }

  async step(size: number): Promise<SetStep | null> {
    if (this.buffered.length === 0) {
      this.buffered = await this.database.use((client) => readSet(client, this.set, this.behind, PAGE));
      this.behind = this.buffered.at(-1) ?? this.behind;
    }
    const items = this.buffered.splice(0, size);
    if (items.length === 0) return null;
    const answer = await this.acted(items.map(({ id }) => id));
    if (answer === null) return null;
    this.totals.alreadyUnderWay += answer.waiting.length + answer.running.length;
    this.totals.running += answer.running.length;
    this.totals.left += answer.left.length + answer.unknown.length;
    const queued = new Set(answer.queued);
    return { asked: items.filter(({ id }) => queued.has(id)), passed: items.length };
  }

  private async acted(ids: readonly string[]): Promise<RedriveAnswer | null> {
    try {
      return await this.database.use((client) => this.act(client, ids));
    } catch (error) {
      if (!(error instanceof SetTakenBack)) throw error;
      this.takenBack = error.message;
      return null;
    }
  }
}
