import type { Cursor } from '../checkpoint/cursor';
import type {
  AttemptRecord,
  CancelRecord,
  DeadLetterRecord,
  DeliveryKey,
  Group,
  PendingRecord,
  QuarantineRecord,
  RedrivenRecord,
  ScheduledRecord,
} from './records';
import { CANCELLED, COLLAPSED, skippedBy } from './skipped';

/** Of a record that is about a change, and about no delivery of it. */
const WHOLE_CHANGE = '';

/** What has happened since the last commit began. A later word on the same delivery replaces the earlier one. */
export class GatheringGroup {
  readonly attempts: AttemptRecord[] = [];
  readonly redriven: RedrivenRecord[] = [];
  cursor: Cursor | null = null;
  /** It says what could not be recorded otherwise: there is nothing left to leave out of it. */
  private aside = false;
  private readonly pending = new Map<string, PendingRecord>();
  private readonly scheduled = new Map<string, ScheduledRecord>();
  /** By key of debouncing: the one of `scheduled` that has it. */
  private readonly debounced = new Map<string, ScheduledRecord>();
  private readonly scheduledInLane = new Map<string, Set<ScheduledRecord>>();
  private readonly cancelled = new Map<string, CancelRecord>();
  private readonly ended = new Map<string, DeliveryKey>();
  private readonly deadLetters = new Map<string, DeadLetterRecord>();
  private readonly quarantined = new Map<number, QuarantineRecord>();

  /** A group that moves the checkpoint, and no more. */
  static at(cursor: Cursor): GatheringGroup {
    const group = new GatheringGroup();
    group.cursor = cursor;
    return group;
  }

  pend(record: PendingRecord): void {
    this.pending.set(keyOf(record), record);
    this.ended.delete(keyOf(record));
  }

  /**
   * It waits for its time, in the place of what has the same key here; what has it in the table is replaced by the statement that writes this.
   *
   * @param now monotonic time at which what it replaces has ended
   */
  schedule(record: ScheduledRecord, now: number): void {
    const key = record.debounceKey === null ? null : debounceKeyOf(record, record.debounceKey);
    const earlier = key === null ? undefined : this.debounced.get(key);
    const all = earlier === undefined ? record : this.replaced(earlier, record, now);
    this.scheduled.set(keyOf(all), all);
    if (key !== null) this.debounced.set(key, all);
    const inLane = this.scheduledInLane.get(all.lane);
    if (inLane === undefined) this.scheduledInLane.set(all.lane, new Set([all]));
    else inLane.add(all);
  }

  /** What waits for its time in the lane, of changes before this one, is not wanted any more. */
  cancel(record: CancelRecord, now: number): void {
    this.cancelled.set(keyOf(record), record);
    for (const waiting of this.scheduledInLane.get(record.lane) ?? [])
      if (waiting.changeNumber < record.changeNumber) this.skip(waiting, skippedBy(CANCELLED, record.changeNumber), now);
  }

  end(key: DeliveryKey): void {
    this.ended.set(keyOf(key), key);
    this.pending.delete(keyOf(key));
  }

  bury(record: DeadLetterRecord): void {
    this.deadLetters.set(record.id, record);
  }

  /** Several deliveries of a change may be unreadable; one row tells of all. */
  quarantine(record: QuarantineRecord): void {
    const earlier = this.quarantined.get(record.changeNumber);
    const message = earlier === undefined ? record.message : `${earlier.message}\n${record.message}`;
    this.quarantined.set(record.changeNumber, { ...record, message });
  }

  /** Whether less of it could be written, when it cannot be written as it is. */
  get divisible(): boolean {
    return !this.aside && !this.empty;
  }

  get empty(): boolean {
    return this.size === 0;
  }

  /** Records that it holds. */
  get size(): number {
    const { attempts, pending, scheduled, cancelled, ended, deadLetters, redriven, quarantined } = this;
    const waiting = pending.size + scheduled.size + cancelled.size;
    return attempts.length + waiting + ended.size + deadLetters.size + redriven.length + quarantined.size;
  }

  /** Deliveries, and whole changes, that something is to be recorded of: by change, as they are to be written. */
  keys(): DeliveryKey[] {
    const keys = new Map(this.all().map((record) => [keyOf(record), record]));
    return [...keys.values()].sort((one, other) => one.changeNumber - other.changeNumber);
  }

  /** Two groups that hold the same, the earlier changes in the first: nothing of a lane is written before what precedes it. Null when it is about one delivery. */
  halves(): readonly [GatheringGroup, GatheringGroup] | null {
    const keys = this.keys().map(keyOf);
    if (keys.length < 2) return null;
    const first = new Set(keys.slice(0, keys.length / 2));
    return [this.part((record) => first.has(keyOf(record))), this.part((record) => !first.has(keyOf(record)))];
  }

  /** For a group about one delivery: its change goes to quarantine instead, and nothing of it waits any more. */
  setAside(reason: string, message: string): GatheringGroup {
    const group = new GatheringGroup();
    group.aside = true;
    for (const { changeNumber, observer, action } of this.keys()) {
      group.quarantine({ changeNumber, reason, message });
      if (action !== WHOLE_CHANGE) group.end({ changeNumber, observer, action });
    }
    return group;
  }

  rows(): Group {
    const { attempts, redriven, cursor } = this;
    return {
      attempts,
      redriven,
      cursor,
      quarantine: [...this.quarantined.values()],
      pending: [...this.pending.values()],
      scheduled: [...this.scheduled.values()],
      cancelled: [...this.cancelled.values()],
      ended: [...this.ended.values()],
      deadLetters: [...this.deadLetters.values()],
    };
  }

  private replaced(earlier: ScheduledRecord, by: ScheduledRecord, now: number): ScheduledRecord {
    this.skip(earlier, skippedBy(COLLAPSED, by.changeNumber), now);
    return {
      ...by,
      due: Math.max(earlier.due, by.due),
      since: Math.min(earlier.since ?? Infinity, by.since ?? Infinity),
      collapsed: (earlier.collapsed ?? 0) + (by.collapsed ?? 0),
    };
  }

  /** It ends before anybody has tried it. */
  private skip(waiting: ScheduledRecord, message: string, finishedAt: number): void {
    const { changeNumber, observer, action, debounceKey, configVersion, lane } = waiting;
    this.scheduled.delete(keyOf(waiting));
    this.scheduledInLane.get(lane)?.delete(waiting);
    if (debounceKey !== null) this.debounced.delete(debounceKeyOf(waiting, debounceKey));
    this.attempts.push({
      changeNumber,
      observer,
      action,
      attempt: 1,
      outcome: 'skipped',
      error: null,
      message,
      status: null,
      response: null,
      durationMs: 0,
      finishedAt,
      configVersion,
    });
  }

  private all(): DeliveryKey[] {
    const whole = [...this.quarantined.keys()].map((changeNumber) => ({ changeNumber, observer: WHOLE_CHANGE, action: WHOLE_CHANGE }));
    const maps = [this.pending, this.scheduled, this.cancelled, this.ended, this.deadLetters].flatMap((records) => [...records.values()]);
    return [...this.attempts, ...maps, ...this.redriven, ...whole];
  }

  private part(belongs: (record: DeliveryKey) => boolean): GatheringGroup {
    const part = new GatheringGroup();
    const { attempts, pending, scheduled, cancelled, ended, deadLetters, redriven, quarantine } = this.rows();
    part.attempts.push(...attempts.filter(belongs));
    part.redriven.push(...redriven.filter(belongs));
    for (const record of pending.filter(belongs)) part.pend(record);
    // Nothing is left here that one of these would still end.
    for (const record of cancelled.filter(belongs)) part.cancel(record, 0);
    for (const record of scheduled.filter(belongs)) part.schedule(record, 0);
    for (const key of ended.filter(belongs)) part.end(key);
    for (const record of deadLetters.filter(belongs)) part.bury(record);
    for (const record of quarantine)
      if (belongs({ changeNumber: record.changeNumber, observer: WHOLE_CHANGE, action: WHOLE_CHANGE })) part.quarantine(record);
    return part;
  }
}

function keyOf({ changeNumber, observer, action }: DeliveryKey): string {
  return `${changeNumber}\n${observer}\n${action}`;
}

function debounceKeyOf({ observer, action }: DeliveryKey, key: string): string {
  return `${observer}\n${action}\n${key}`;
}
