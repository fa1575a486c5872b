import type { ClientBase, Pool } from 'pg';
import { readSet, type DeadLetterSet, type SetItem, type SetPlace } from './dead-letter-sets.sql';
import type { RedriveAnswer } from './redrive.sql';
import type { SetStep } from './step';

/** Names of items read at once; they are acted on in smaller parts. */
const PAGE = 1_000;

export interface SetTotals {
  alreadyUnderWay: number;
  /** Delivered, discarded or tried by somebody else meanwhile. */
  left: number;
}

/** Works a set off, page after page. Items that have left it since the dry run are not touched: they are only counted. */
export class SetWorker {
  readonly totals: SetTotals = { alreadyUnderWay: 0, left: 0 };
  private buffered: SetItem[] = [];
  private behind: SetPlace | null = null;

  constructor(
    private readonly client: ClientBase | Pool,
    private readonly set: DeadLetterSet,
    private readonly act: (ids: readonly string[]) => Promise<RedriveAnswer>,
  ) {}

  async step(size: number): Promise<SetStep | null> {
    if (this.buffered.length === 0) {
      this.buffered = await readSet(this.client, this.set, this.behind, PAGE);
      this.behind = this.buffered.at(-1) ?? this.behind;
    }
    const items = this.buffered.splice(0, size);
    if (items.length === 0) return null;
    const answer = await this.act(items.map(({ id }) => id));
    this.totals.alreadyUnderWay += answer.alreadyUnderWay.length;
    this.totals.left += answer.left.length + answer.unknown.length;
    const queued = new Set(answer.queued);
    return { asked: items.filter(({ id }) => queued.has(id)), passed: items.length };
  }
}
