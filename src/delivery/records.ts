import type { Cursor } from '../checkpoint/cursor';
import type { ErrorKind } from '../event/outcome';
import type { PendingState } from '../event/pending-state';

/** One try of one delivery, as `observers.attempt` keeps it. Never holds a payload or a secret. */
export interface AttemptRecord {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
  readonly attempt: number;
  readonly outcome: 'succeeded' | 'skipped' | 'retry' | 'dead';
  readonly error: ErrorKind | null;
  readonly message: string | null;
  readonly status: number | null;
  /** First KiB of a failure's answer. */
  readonly response: string | null;
  readonly durationMs: number;
  /** Monotonic time at which it ended; written relative to the database's clock. */
  readonly finishedAt: number;
  readonly configVersion: number;
}

/** A delivery that is not finished, as `observers.pending_delivery` keeps it. */
export interface PendingRecord {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
  readonly endpoint: string;
  readonly lane: string;
  /** Whose turn it is when several wait for the endpoint; the same for all where nobody takes turns. */
  readonly party: string;
  /** Its observer has `ordering: strict`: its lane has a head, and the others are `waiting`. */
  readonly strict: boolean;
  readonly state: Exclude<PendingState, 'scheduled'>;
  /** The try that comes next, or is under way. */
  readonly attempt: number;
  /** How often in a row the receiver has asked for a later time. */
  readonly appointments: number;
  /** Milliseconds since the first try began; null when there was none. */
  readonly elapsed: number | null;
  /** Milliseconds until the next try may begin. */
  readonly after: number;
  /** Milliseconds for which this process keeps the claim of a running one. */
  readonly claim: number | null;
  readonly redrive: boolean;
}

/** A delivery that waits for its time, as `observers.pending_delivery` keeps it. Times are milliseconds since 1970. */
export interface ScheduledRecord extends DeliveryKey {
  readonly endpoint: string;
  readonly lane: string;
  readonly party: string;
  readonly due: number;
  /** It takes the place of what waits with the same key; null where its observer does not debounce. */
  readonly debounceKey: string | null;
  /** When the first of the changes was written that it stands for. */
  readonly since: number | null;
  /** Milliseconds from then on after which it goes at the latest. */
  readonly maxWait: number | null;
  /** How many changes it stands for, itself included. */
  readonly collapsed: number | null;
  readonly configVersion: number;
}

/** What waits in a lane of earlier changes is not wanted any more. The key is that of the delivery that the change itself may have. */
export interface CancelRecord extends DeliveryKey {
  readonly lane: string;
  readonly configVersion: number;
}

export interface DeadLetterRecord {
  /** The delivery id. */
  readonly id: string;
  readonly changeNumber: number;
  readonly eventId: string;
  readonly observer: string;
  readonly action: string;
  readonly endpoint: string;
  readonly entityType: string;
  readonly entityKey: string;
  readonly error: ErrorKind;
  readonly message: string;
  readonly status: number | null;
  readonly response: string | null;
  readonly attempts: number;
  readonly configVersion: number;
  /** How many changes it stands for, where its observer debounces. */
  readonly collapsed: number | null;
}

/** A dead letter that a redrive delivered. */
export interface RedrivenRecord extends DeliveryKey {
  /** The delivery id. */
  readonly id: string;
}

export interface QuarantineRecord {
  readonly changeNumber: number;
  readonly reason: string;
  readonly message: string;
}

export interface DeliveryKey {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
}

/** What one commit of the ledger writes: outcomes and the checkpoint, in one statement. */
export interface Group {
  readonly attempts: readonly AttemptRecord[];
  readonly pending: readonly PendingRecord[];
  readonly scheduled: readonly ScheduledRecord[];
  readonly cancelled: readonly CancelRecord[];
  readonly ended: readonly DeliveryKey[];
  readonly deadLetters: readonly DeadLetterRecord[];
  readonly redriven: readonly RedrivenRecord[];
  readonly quarantine: readonly QuarantineRecord[];
  readonly cursor: Cursor | null;
}
