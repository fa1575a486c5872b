import { rolledBack, SNAPSHOT } from '../database/transaction';
import type { ClientBase } from 'pg';
import { readCheckpoint } from '../checkpoint/checkpoint.sql';
import type { Cursor } from '../checkpoint/cursor';
import type { EntityEvent } from '../event/entity-event';
import { SIDE_PAGE_BYTES } from '../event/image-budget';
import type { Versions } from '../explain/versions';
import { readChanges } from '../change-log/changes-by-number.sql';
import { decode } from '../change-log/decode';
import { isAskedFor, isCertain, QUARANTINE, Records, type JudgedVersion } from './account';
import { selectAudited, type AuditedChange, type AuditRange } from './audit.sql';

/** Few, for the images of all of them are in memory at once. */
const PAGE = 200;
/** More are counted, and not listed. */
const LISTED = 1_000;

/** A delivery that the configuration asks for and nothing is on record of. */
export interface Unaccounted {
  readonly changeNumber: number;
  readonly event: string;
  readonly entityType: string;
  readonly entityKey: string;
  readonly timestamp: string;
  readonly observer: string;
  readonly action: string;
  readonly version: number;
}

/** Every committed change × each observer of the version that decided it. */
export interface Audit {
  readonly stream: string;
  /** Changes that the stream had passed when the audit began. */
  readonly changes: number;
  /** Changes that are no events: in quarantine, or they were. */
  readonly quarantined: number;
  /** Changes that no observer is asked about (NOOP, READ). */
  readonly ignored: number;
  /** Changes that a person moved the checkpoint past, and of which nothing is on record: no observer was asked. */
  readonly passedOver: number;
  /** Observers that did not match, summed over the events. */
  readonly notMatched: number;
  /** Deliveries. */
  readonly delivered: number;
  readonly skipped: number;
  /** Deliveries of observers in shadow: recorded, and not sent. */
  readonly shadow: number;
  readonly dead: number;
  readonly discarded: number;
  readonly parked: number;
  readonly pending: number;
  /** Missing, and a person decided to leave it at that (audit dismiss). */
  readonly dismissed: number;
  readonly unaccounted: number;
  /** The first of them. */
  readonly list: readonly Unaccounted[];
  /** What cannot be proved either way, and why. */
  readonly unverifiable: {
    /** Changes that were decided before versions were recorded. */
    readonly versionUnknown: number;
    /** Changes whose version can no longer be read. */
    readonly versionUnreadable: number;
    /** Observers whose condition reads the clock, and of which nothing is on record: it may not have been met then. */
    readonly clock: number;
    /** Observers whose names, entities, kinds or condition come from outside the file, and of which nothing is on record. */
    readonly outside: number;
    /** Changes that are too large by the limit of today, and are not in quarantine. */
    readonly size: number;
  };
}

export interface AuditRequest extends AuditRange {
  readonly maxEventSize: number;
}

type Count = { -readonly [K in keyof Omit<Audit, 'list' | 'unverifiable'>]: Audit[K] };

/** A part of an audit: from one change to another. */
export interface AuditPart {
  readonly audit: Audit;
  /** The last change that was looked at; null behind the last one that there is. */
  readonly behind: number | null;
}

/**
 * Accounts for every change that the stream has passed. Page by page, each in its own snapshot, in which outcomes and what waits for one
 * are seen together; nothing is locked, and nothing holds back the stream.
 */
export async function verify(client: ClientBase, range: AuditRequest, versions: Versions): Promise<Audit> {
  return (await verifyPart(client, range, versions, { behind: 0, stopped: () => false })).audit;
}

/** The same, page by page from a place on, until it is to stop. */
export async function verifyPart(
  client: ClientBase,
  range: AuditRequest,
  versions: Versions,
  { behind: from, stopped }: { readonly behind: number; readonly stopped: () => boolean },
): Promise<AuditPart> {
  const auditor = new Auditor(range, versions);
  const end = await readCheckpoint(client, range.stream);
  let behind: number | null = end === null ? null : from;
  while (behind !== null && end !== null) {
    const place: number = behind;
    behind = await rolledBack(client, SNAPSHOT, () => auditor.page(client, end, place));
    if (stopped()) break;
  }
  return { audit: auditor.audit, behind };
}

class Auditor {
  readonly audit: Count & { list: Unaccounted[]; unverifiable: Record<keyof Audit['unverifiable'], number> };

  constructor(
    private readonly range: AuditRequest,
    private readonly versions: Versions,
  ) {
    this.audit = {
      stream: range.stream,
      changes: 0,
      quarantined: 0,
      ignored: 0,
      passedOver: 0,
      notMatched: 0,
      delivered: 0,
      skipped: 0,
      shadow: 0,
      dead: 0,
      discarded: 0,
      parked: 0,
      pending: 0,
      dismissed: 0,
      unaccounted: 0,
      list: [],
      unverifiable: { versionUnknown: 0, versionUnreadable: 0, clock: 0, outside: 0, size: 0 },
    };
  }

  /** @returns the last change of the page; null behind the last page */
  async page(client: ClientBase, end: Cursor, behind: number): Promise<number | null> {
    const changes = await selectAudited(client, this.range, end, behind, PAGE);
    if (changes.length === 0) return null;
    const numbers = changes.map(({ number }) => number);
    const records = await Records.read(client, this.range.stream, numbers);
    const byNumber = new Map(changes.map((change) => [change.number, change]));
    for await (const row of readChanges(client, numbers, { bytes: SIDE_PAGE_BYTES, eventBytes: this.range.maxEventSize })) {
      const decoded = decode(row, this.range.maxEventSize);
      const change = byNumber.get(decoded.is === 'event' ? decoded.event.changeNumber : decoded.changeNumber) as AuditedChange;
      this.audit.changes++;
      if (decoded.is === 'ignored') this.audit.ignored++;
      else if (change.quarantine !== null) this.audit.quarantined++;
      else if (change.passedOver) this.passedOver(change, records);
      else if (decoded.is === 'event') await this.event(change, decoded.event, records);
      else if (!isCertain(decoded)) this.audit.unverifiable.size++;
      else if (records.of(change.number, QUARANTINE, decoded.reason) === 'dismissed') this.audit.dismissed++;
      else this.unaccounted(change, null, QUARANTINE, decoded.reason);
    }
    return numbers.at(-1) ?? null;
  }

  /** Nothing had to happen; what did all the same (it was in flight then, or was replayed since) is counted as what it is. */
  private passedOver({ number }: AuditedChange, records: Records): void {
    const states = records.statesOf(number);
    if (states.length === 0) this.audit.passedOver++;
    for (const state of states) if (state !== null) this.audit[state]++;
  }

  private async event(change: AuditedChange, event: EntityEvent, records: Records): Promise<void> {
    const { unverifiable } = this.audit;
    if (change.version === null) {
      unverifiable.versionUnknown++;
      return;
    }
    const read = await this.versions.of(change.version);
    if ('problem' in read) unverifiable.versionUnreadable++;
    else this.matched(change, event, read, records);
  }

  private matched(change: AuditedChange, event: EntityEvent, basis: JudgedVersion, records: Records): void {
    for (const judgement of basis.matcher.judgeAll(event, Date.parse(event.timestamp))) {
      const { observer } = judgement;
      const states = observer.actions.map(({ name }) => [name, records.of(change.number, observer.name, name)] as const);
      const onRecord = states.filter(([, state]) => state !== undefined).length;
      const asked = isAskedFor(judgement, basis);
      if (asked === 'no' && onRecord === 0) this.audit.notMatched++;
      // What is on record counts, and of the rest nobody can tell.
      else if ((asked === 'clock' || asked === 'outside') && onRecord < states.length) this.audit.unverifiable[asked]++;
      // Actions that were not asked for may have been replayed, each by itself.
      for (const [action, state] of states) {
        if (state != null) this.audit[state]++;
        else if (state === null || asked === 'yes') this.unaccounted(change, event, observer.name, action);
      }
    }
  }

  private unaccounted({ number, version }: AuditedChange, event: EntityEvent | null, observer: string, action: string): void {
    this.audit.unaccounted++;
    if (this.audit.list.length >= LISTED) return;
    const { id = '', entityType = '', entityKey = '', timestamp = '' } = event ?? {};
    this.audit.list.push({ changeNumber: number, event: id, entityType, entityKey, timestamp, observer, action, version: version ?? 0 });
  }
}
