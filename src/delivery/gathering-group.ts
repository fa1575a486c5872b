import type { Cursor } from '../checkpoint/cursor';
import type { AttemptRecord, DeadLetterRecord, DeliveryKey, Group, PendingRecord, QuarantineRecord, RedrivenRecord } from './records';

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
    const { attempts, pending, ended, deadLetters, redriven, quarantined } = this;
    return attempts.length + pending.size + ended.size + deadLetters.size + redriven.length + quarantined.size === 0;
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
      ended: [...this.ended.values()],
      deadLetters: [...this.deadLetters.values()],
    };
  }

  private all(): DeliveryKey[] {
    const whole = [...this.quarantined.keys()].map((changeNumber) => ({ changeNumber, observer: WHOLE_CHANGE, action: WHOLE_CHANGE }));
    const maps = [this.pending, this.ended, this.deadLetters].flatMap((records) => [...records.values()]);
    return [...this.attempts, ...maps, ...this.redriven, ...whole];
  }

  private part(belongs: (record: DeliveryKey) => boolean): GatheringGroup {
    const part = new GatheringGroup();
    const { attempts, pending, ended, deadLetters, redriven, quarantine } = this.rows();
    part.attempts.push(...attempts.filter(belongs));
    part.redriven.push(...redriven.filter(belongs));
    for (const record of pending.filter(belongs)) part.pend(record);
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
