import type { Pool } from 'pg';
import type { Progress } from '../checkpoint/progress';
import { isRetryable, isUnwritable } from '../database/postgres';
import { messageOf } from '../event/errors';
import type { TermContext } from '../event/term-context';
import { GatheringGroup } from './gathering-group';
import { writeGroup } from './ledger.sql';
import type {
  AttemptRecord,
  CancelRecord,
  DeadLetterRecord,
  DeliveryKey,
  PendingRecord,
  QuarantineRecord,
  RedrivenRecord,
  ScheduledRecord,
} from './records';

/** A group is written at once when it holds this many attempts. */
const FULL_GROUP = 500;
/** A checkpoint that moves without outcomes, or between them, is written this often at most: the row is updated in place. */
const CHECKPOINT_EVERY = 100;
const FIRST_RETRY = 50;
const LAST_RETRY = 1_000;

/** What it tells others. */
export interface LedgerEvents {
  died(observer: string, error: string): void;
  quarantined(reason: string): void;
  /** A group is on record. */
  written(): void;
  /** A newer leader has taken over. Called once. */
  deposed(): void;
}

/**
 * Where outcomes become facts. They gather for a few milliseconds and are committed together with the checkpoint that they allow;
 * one commit is under way at a time, so groups are written in the order in which they happened.
 */
export class Ledger {
  private group = new GatheringGroup();
  /** Number of the group that gathers now; groups are committed in the order of their numbers. */
  gathering = 1;
  /** Number of the last group that is committed. */
  committed = 0;
  private timer: NodeJS.Timeout | null = null;
  /** Whether the timer is that of outcomes, not only that of a checkpoint. */
  private urgent = false;
  private writing: Promise<void> | null = null;
  private checkpointAt = -Infinity;
  private stale = false;
  /** Monotonic time at which the commit under way began. */
  private writingSince: number | null = null;

  /** @param commitWindow milliseconds for which outcomes gather before they are committed together */
  constructor(
    private readonly pool: Pool,
    private readonly term: TermContext,
    private readonly progress: Progress,
    private readonly events: LedgerEvents,
    private readonly commitWindow: number,
  ) {}

  attempt(record: AttemptRecord): void {
    this.group.attempts.push(record);
    this.schedule();
  }

  /** The delivery is not finished: it goes on from PostgreSQL. */
  pend(record: PendingRecord): void {
    this.group.pend(record);
    this.schedule();
  }

  /** A delivery waits for its time, in the place of one with the same key. */
  scheduleFor(record: ScheduledRecord): void {
    this.group.schedule(record, this.term.clock.monotonic());
    this.schedule();
  }

  /** What waits for its time in the lane, of changes before this one, ends untried. */
  cancel(record: CancelRecord): void {
    this.group.cancel(record, this.term.clock.monotonic());
    this.schedule();
  }

  /** A delivery that had become pending is finished. */
  end(key: DeliveryKey): void {
    this.group.end(key);
    this.schedule();
  }

  bury(record: DeadLetterRecord): void {
    this.group.bury(record);
    this.events.died(record.observer, record.error);
    this.schedule();
  }

  /** A dead letter was delivered after all. */
  redriven(record: RedrivenRecord): void {
    this.group.redriven.push(record);
    this.schedule();
  }

  quarantine(record: QuarantineRecord): void {
    this.group.quarantine(record);
    this.events.quarantined(record.reason);
    this.schedule();
  }

  /** The stream moved on, perhaps without an outcome. */
  moved(): void {
    this.schedule();
  }

  /** Writes what has gathered, until nothing is left or the epoch is stale. */
  async drain(): Promise<void> {
    this.checkpointAt = -Infinity;
    while (!this.stale && (this.writing !== null || !this.group.empty || this.progress.hasMoved)) {
      await (this.writing ?? this.write());
    }
  }

  /** Until what has gathered so far is committed. */
  async settle(): Promise<void> {
    const group = this.gathering;
    while (!this.stale && this.committed < group && (this.writing !== null || !this.group.empty)) await (this.writing ?? this.write());
  }

  /** Records that wait to be written. */
  get unwritten(): number {
    return this.group.size;
  }

  /** Number of the last group in which there is something. */
  get newest(): number {
    return this.group.empty ? this.gathering - 1 : this.gathering;
  }

  /** Does something while nothing is written; what happens meanwhile gathers. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    await this.settle();
    while (this.writing !== null) await this.writing;
    // A timer of what has gathered since then would write beside the work, and the next group might be committed before that one.
    this.clearTimer();
    const working = work();
    this.writing = working
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.wrote());
    return working;
  }

  /** Milliseconds for which outcomes have waited to be written; a commit takes a few. @param now monotonic time */
  silence(now: number): number {
    return this.writingSince === null ? 0 : now - this.writingSince;
  }

  /** Stops without writing: a newer leader owns the stream. */
  abandon(): void {
    this.stale = true;
    this.clearTimer();
  }

  private schedule(): void {
    if (this.writing !== null || this.stale) return;
    if (this.group.attempts.length >= FULL_GROUP) {
      void this.write();
      return;
    }
    const urgent = !this.group.empty;
    if (this.timer !== null && (this.urgent || !urgent)) return;
    this.clearTimer();
    this.urgent = urgent;
    this.timer = setTimeout(() => void this.write(), urgent ? this.commitWindow : CHECKPOINT_EVERY);
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private write(): Promise<void> {
    this.clearTimer();
    const due = this.term.clock.monotonic() - this.checkpointAt >= CHECKPOINT_EVERY || this.group.attempts.length >= FULL_GROUP;
    const { group } = this;
    group.cursor = due ? this.progress.take() : null;
    this.group = new GatheringGroup();
    const number = this.gathering++;
    if (group.cursor !== null) this.checkpointAt = this.term.clock.monotonic();
    this.writingSince = this.term.clock.monotonic();
    this.writing = this.commit(group).finally(() => {
      this.writingSince = null;
      this.committed = number;
      this.wrote();
    });
    return this.writing;
  }

  private wrote(): void {
    this.writing = null;
    this.events.written();
    if (!this.group.empty || this.progress.hasMoved) this.schedule();
  }

  /**
   * Tries until the group is written: outcomes have happened, and there is nowhere else to put them. What PostgreSQL will never take as
   * it is goes to quarantine, with the reason, and holds up nothing else.
   */
  private async commit(group: GatheringGroup): Promise<void> {
    if (group.empty && group.cursor === null) return;
    for (let wait = FIRST_RETRY; !this.stale; wait = Math.min(wait * 2, LAST_RETRY)) {
      try {
        if (await writeGroup(this.pool, this.term, group.rows(), this.term.clock.monotonic())) return;
        this.abandon();
        this.events.deposed();
      } catch (error) {
        if (isUnwritable(error) && group.divisible) return this.commitApart(group, error);
        this.term.logger.error(
          { err: error, attempts: group.attempts.length },
          'the ledger could not be written; it is tried again until it is',
        );
        if (!isRetryable(error)) wait = LAST_RETRY;
        // The server may have crashed: outcomes have happened all the same, but the cursor may no longer be true.
        group.cursor = null;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  /** Halves the group until the record is alone that cannot be written. The checkpoint moves when all of it is on record. */
  private async commitApart(group: GatheringGroup, error: unknown): Promise<void> {
    const { cursor } = group;
    for (const part of group.halves() ?? [this.setAside(group, error)]) await this.commit(part);
    if (cursor !== null) await this.commit(GatheringGroup.at(cursor));
  }

  /** @returns what is written in its place */
  private setAside(group: GatheringGroup, error: unknown): GatheringGroup {
    const [key] = group.keys();
    const message = `${key?.observer}/${key?.action}: what became of it could not be recorded: ${messageOf(error)}`;
    this.term.logger.error(
      { err: error, change: key?.changeNumber, observer: key?.observer, action: key?.action },
      `quarantined: ${message}`,
    );
    this.events.quarantined('unrecordable');
    return group.setAside('unrecordable', message);
  }
}
