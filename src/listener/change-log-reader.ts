import type { Client } from 'pg';
import type { Cursor } from '../checkpoint/cursor';
import { setForSession } from '../database/pinned-client';
import { connect, disconnect } from '../database/postgres';
import { findRecorded } from '../delivery/ledger.sql';
import { messageOf } from '../event/errors';
import { IMAGE_BUDGET, PAGE_BYTES } from '../event/image-budget';
import { Interludes } from '../event/interludes';
import type { Mandate } from '../event/mandate';
import { Pause, TimeSlice } from '../event/timing';
import type { EventPipeline, IsRecorded } from '../pipeline/event-pipeline';
import type { PipelineEvents } from '../pipeline/pipeline-events';
import type { ChangeRow } from '../change-log/change-row.sql';
import { readPage, type Floor, type Page } from '../change-log/change-log.sql';
import { MOST_ROWS, type PageSize } from '../change-log/page-size';
import { decode } from '../change-log/decode';
import type { ListenConnection } from './listen-connection';

/** With a thousand observers a page takes a second of this process: requests under way must not wait for their answers so long (ms). */
const SLICE = 20;
/** PostgreSQL gives a page up after so long (ms), before the connection counts as lost for want of an answer. */
const PAGE_TIMEOUT = 6_000;
/**
 * After a small page writers get a moment (ms), and a longer one when they are busy: a page of 17 rows costs a third of what its rows do,
 * on both sides. Single rows go on at once, for they are what somebody waits for.
 */
const MOMENT = 2;
const FEW_ROWS = 8;
const BUSY_MOMENT = 5;
const MANY_ROWS = 128;
/** Without rows for so long (ms) the listener goes to sleep; polling each moment until then spares writers a NOTIFY at steady rates. */
const QUIET = 25;
/** Between polls while a writer that need not notify is still uncommitted. */
const SLEEPLESS = 20;
const ROOM_CHECK = 1_000;
/** Records of the ledger: events that end at once, such as those whose deliveries wait for their time, would else be read faster than they are written. */
const MOST_UNWRITTEN = 5_000;

export interface ReaderOptions {
  readonly url: string;
  readonly maxInFlight: number;
  readonly maxEventSize: number;
  /** Milliseconds between polls while asleep. */
  readonly pollInterval: number;
  readonly pageSize: PageSize;
}

const NOTHING_RECORDED: IsRecorded = () => false;

/**
 * Reads the change log by the snapshot cursor, page after page, as many rows as there is room for, and hands each event to the
 * pipeline without waiting for it. Runs for one term of leadership.
 */
export class ChangeLogReader {
  private failure: unknown = null;
  private stopping = false;
  private asleep = false;
  private awaitingRoom = false;
  private quietSince: number | null = null;
  private readonly pausing = new Pause();
  /** Until the first window that this process opened is read, events may be on record: an earlier leader saw them. */
  private recovering = true;
  private openedWindow = false;
  /** Monotonic time before the window was opened that is being read; none of this process's own before the first. */
  private openedAt = -Infinity;
  private floor: Floor | null = null;
  private readonly interludes = new Interludes<Cursor>(this.pausing);

  private readonly mandate: Mandate;
  private readonly events: PipelineEvents;
  private cursor: Cursor;

  constructor(
    private readonly pipeline: EventPipeline,
    private readonly listen: ListenConnection,
    private readonly options: ReaderOptions,
  ) {
    this.cursor = pipeline.parts.cursor;
    this.mandate = pipeline.term.mandate;
    this.events = pipeline.events;
    this.events.subscribe({
      event: () => this.freed(),
      written: () => this.freed(),
      due: () => this.wake(),
      broken: (error) => this.lost(error),
    });
  }

  /**
   * Reads until stop(), until the lease is lost, or until the connection is: then the server may have crashed, the cursor in memory is
   * worth nothing, and whoever leads next begins at the stored checkpoint.
   *
   * @throws what the database or the connection failed with
   */
  async run(): Promise<void> {
    try {
      await this.read();
    } finally {
      this.interludes.end();
    }
    if (this.failure !== null) throw this.failure instanceof Error ? this.failure : new Error(messageOf(this.failure));
  }

  private get ended(): boolean {
    return this.stopping || this.mandate.lost;
  }

  private async read(): Promise<void> {
    const client = await this.connect();
    // At once, before any other connection can have been made to a server that has come back.
    const onEnd = (): void => this.lost(new Error('the connection that reads the change log is lost'));
    client.once('end', onEnd);
    try {
      while (!this.ended) {
        // Run out, because the database did not answer or this process was stopped: nothing is begun until a renewal succeeds.
        if (!this.mandate.valid) {
          await this.pause(MOMENT * 10);
          continue;
        }
        // First: what a reload asked for while the term was opened holds from its first page on.
        await this.interludes.run(this.cursor);
        if (!this.ended) await this.step(client);
      }
    } catch (error) {
      this.lost(error);
    } finally {
      client.off('end', onEnd);
      await disconnect(client);
    }
  }

  stop(): void {
    this.stopping = true;
    this.wake();
  }

  /** Does something between two pages. `work` is told where the stream stands. @throws what it throws, or LoopEndedError */
  between<T>(work: (cursor: Cursor) => Promise<T>): Promise<T> {
    return this.interludes.do(work);
  }

  /** A notification came. */
  wake(): void {
    this.pausing.wake();
  }

  /** An event has run its course. */
  private freed(): void {
    if (this.awaitingRoom && this.hasRoom) this.pausing.wake();
  }

  /** For a page that is worth a round trip: in events, in the bytes of their images, and in what came of them and is not on record yet. */
  private get hasRoom(): boolean {
    const { dispatcher, ledger, inFlight } = this.pipeline;
    const inMemory = this.options.maxInFlight - inFlight >= this.leastRoom && dispatcher.bytes <= IMAGE_BUDGET - PAGE_BYTES;
    return inMemory && ledger.unwritten < MOST_UNWRITTEN;
  }

  /** Null when it was more than PostgreSQL can bring in time: then less is asked for. */
  private async nextPage(client: Client): Promise<Page | null> {
    const { maxInFlight, maxEventSize, pageSize } = this.options;
    const rows = Math.min(pageSize.rows, maxInFlight - this.pipeline.inFlight);
    const limits = { rows, bytes: PAGE_BYTES, eventBytes: maxEventSize, measured: pageSize.measured };
    try {
      const page = await readPage(client, this.cursor, limits, this.floor);
      pageSize.came(page.rows.length, page.cut);
      return page;
    } catch (error) {
      if (!pageSize.failed(error)) throw error;
      this.pipeline.term.logger.warn(
        { err: messageOf(error), rows },
        'a page of the change log could not be read in time; fewer rows are asked for',
      );
      return null;
    }
  }

  private async step(client: Client): Promise<void> {
    if (!this.hasRoom) return this.roomComes();
    if (this.cursor.target === null) this.openedAt = this.pipeline.term.clock.monotonic();
    const page = await this.nextPage(client);
    if (page === null) return;
    if (page.rows.length > 0 && !(await this.handle(client, page))) return;
    this.events.read();
    this.openedWindow ||= this.cursor.target === null;
    this.advance(page);
    if (page.rows.length === 0) return this.idle();
    this.quietSince = null;
    if (this.asleep) this.listen.wakeUp();
    this.asleep = false;
    if (page.last && page.rows.length < MANY_ROWS) await this.pause(page.rows.length < FEW_ROWS ? MOMENT : BUSY_MOMENT);
  }

  /** A page is worth a round trip from this many rows on. */
  private get leastRoom(): number {
    return Math.ceil(Math.min(MOST_ROWS, this.options.maxInFlight) / 4);
  }

  private async roomComes(): Promise<void> {
    this.awaitingRoom = true;
    await this.pause(ROOM_CHECK);
    this.awaitingRoom = false;
  }

  /** @returns false when the lease ran out while the page was read: it is read again when the lease is back. */
  private async handle(client: Client, page: Page): Promise<boolean> {
    const isRecorded = this.recovering ? await this.recorded(client, page.rows) : NOTHING_RECORDED;
    if (!this.mandate.valid) return false;
    const slice = new TimeSlice(SLICE);
    for (const row of page.rows) {
      if (slice.isOver) await slice.giveWay();
      const decoded = decode(row, this.options.maxEventSize);
      const cursor: Cursor = { previous: this.cursor.previous, target: page.target, after: Number(row[0]) };
      if (decoded.is === 'event') this.pipeline.process(decoded.event, cursor, isRecorded);
      else if (decoded.is === 'ignored') this.pipeline.pass(cursor);
      else this.pipeline.quarantine(decoded.changeNumber, decoded.reason, decoded.message, cursor);
    }
    return true;
  }

  private advance(page: Page): void {
    const after = page.rows.length > 0 ? Number(page.rows.at(-1)?.[0]) : this.cursor.after;
    this.floor = page.last ? null : page.floor;
    if (!page.last) {
      this.cursor = { previous: this.cursor.previous, target: page.target, after };
      return;
    }
    const moved = page.rows.length > 0 || this.cursor.target !== null;
    this.cursor = { previous: page.target, target: null, after: 0 };
    if (moved) this.pipeline.pass(this.cursor);
    if (this.openedWindow) this.recovering = false;
    this.pipeline.scheduler.windowRead(this.openedAt);
  }

  private async recorded(client: Client, rows: readonly ChangeRow[]): Promise<IsRecorded> {
    const found = await findRecorded(client, rows.map(([changeNumber]) => Number(changeNumber))); // prettier-ignore
    const keys = new Set(found.map(({ changeNumber, observer, action }) => `${changeNumber}\n${observer}\n${action}`));
    return (changeNumber, observer, action) => keys.has(`${changeNumber}\n${observer}\n${action}`);
  }

  /** No rows: a few quick looks first; then sleep, with one more look behind the lock; then NOTIFY or the fallback poll. */
  private async idle(): Promise<void> {
    const now = performance.now();
    this.quietSince ??= now;
    if (this.asleep) return this.pause(this.options.pollInterval);
    if (now - this.quietSince < QUIET) return this.pause(MOMENT);
    this.asleep = await this.listen.fallAsleep();
    if (!this.asleep) await this.pause(Math.min(SLEEPLESS, this.options.pollInterval));
  }

  private lost(error: unknown): void {
    this.pipeline.freeze();
    this.failure ??= error;
    this.stop();
  }

  private async connect(): Promise<Client> {
    const client = await connect(this.options.url, 'read', true);
    // Dedicated to two statements that have their indexes: generic plans, and no way to a sequential scan or a sort of the backlog.
    await setForSession(client, { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off', statement_timeout: String(PAGE_TIMEOUT) });
    return client;
  }

  private pause(milliseconds: number): Promise<void> {
    if (this.stopping || (this.interludes.pending && this.mandate.valid)) return Promise.resolve();
    return this.pausing.for(milliseconds);
  }
}
