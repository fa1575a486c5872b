import type { ClientBase } from 'pg';
import type { Clock } from '../event/clock';
import { OperatorError } from '../event/errors';
import { endBackfill, leaveBackfill, lookRound, readBackfill, SIGN_OF_LIFE, type Surroundings } from './backfill.sql';
import { recordChunk, type BackfillClients, type Chunk } from './chunk';
import type { OpenBackfill } from './open';
import type { BackfillTarget } from './target';

/** Rows of one transaction. Writers to any of them wait for it: some ten milliseconds. */
const MOST = 500;
const FIRST = 100;
/** With a rate, chunks a second: smaller ones would only be more of them. */
const CHUNKS_A_SECOND = 20;
/**
 * Changes that the service has yet to read, or deliveries that wait: with more, live changes would wait behind the backfill. A service that
 * leads works them off in a second.
 */
const BACKLOG = 2_000;
/** Between two looks at the service (ms). Sooner when what was written since may have made the backlog: 6,000 rows have been written in less. */
const LOOK_EVERY = 200;
/** Wait after a chunk that found another transaction in its way, doubled each time (ms). */
const WAIT = { first: 20, longest: 1_000 };

/** What whoever runs a backfill is told. */
export interface BackfillEvents {
  readonly onProgress: (done: number) => void;
  /** Told what it waits for, once each time; null: it goes on. */
  readonly onWait: (why: string | null) => void;
  /** The version of the configuration by which the service decides is another. @throws OperatorError when the observers are not in it */
  readonly onVersion: (version: number) => Promise<void>;
}

export interface BackfillOptions {
  readonly stream: string;
  readonly who: string;
  /** Rows a second; null: as fast as the service follows. */
  readonly rate: number | null;
  readonly clock: Clock;
  /** May return early. */
  readonly sleep: (milliseconds: number) => Promise<void>;
  readonly interrupted: () => boolean;
  readonly events: BackfillEvents;
}

export interface BackfillResult {
  readonly id: string;
  readonly state: 'finished' | 'stopped';
  /** Rows that are in the change log, those of earlier runs included. */
  readonly done: number;
  /** Rows of this run that could not be recorded whole. */
  readonly failed: number;
  /** Whether a service leads, so that they are being sent. */
  readonly led: boolean;
}

/** One process that works on a backfill, from where it stands to its end, or until it is stopped. Its memory is bounded. */
export class BackfillRun {
  private readonly owner: { readonly id: string; readonly run: string };
  private behind: readonly string[] | null;
  private done: number;
  private failed = 0;
  private size: number;
  private readonly most: number;
  private due: number;
  private lookedAt = -Infinity;
  /** Rows written since the last look. */
  private unseen = 0;
  private seen: Surroundings = { mine: true, version: null, led: false, behind: 0 };
  private waitsFor: string | null = null;

  constructor(
    private readonly clients: BackfillClients,
    private readonly target: BackfillTarget,
    { state, run }: OpenBackfill,
    private readonly options: BackfillOptions,
  ) {
    const { rate } = options;
    this.owner = { id: state.id, run };
    [this.behind, this.done, this.due] = [state.passed, state.done, options.clock.monotonic()];
    this.most = rate === null ? MOST : Math.min(MOST, Math.max(1, Math.floor(rate / CHUNKS_A_SECOND)));
    this.size = Math.min(FIRST, this.most);
  }

  private get client(): ClientBase {
    return this.clients.writer;
  }

  async run(): Promise<BackfillResult> {
    try {
      return await this.work();
    } catch (error) {
      await leaveBackfill(this.client, this.owner.id, this.owner.run).catch(() => undefined);
      throw error;
    }
  }

  private async work(): Promise<BackfillResult> {
    const { options, owner } = this;
    let failures = 0;
    while (!options.interrupted()) {
      await this.keepUp();
      if (options.interrupted()) break;
      const chunk = await recordChunk(this.clients, this.target, owner, this.behind, this.size);
      if (chunk.is === 'in the way') await this.waitFor(chunk.message, ++failures);
      else failures = 0;
      if (chunk.is === 'nothing left') return this.finish();
      if (chunk.is === 'not ours') throw await this.notOurs(chunk.message);
      if (chunk.is === 'too large') this.size = Math.max(1, this.size >> 2);
      if (chunk.is === 'broken') await this.broken(chunk.message);
      if (chunk.is === 'done') await this.passed(chunk);
    }
    await leaveBackfill(this.client, owner.id, owner.run);
    return this.result('stopped');
  }

  private result(state: BackfillResult['state']): BackfillResult {
    return { id: this.owner.id, state, done: this.done, failed: this.failed, led: this.seen.led };
  }

  private async finish(): Promise<BackfillResult> {
    const ended = await endBackfill(this.client, this.owner.id, 'finished', this.options.who, this.owner.run);
    if (!ended) throw await this.notOurs(null);
    return this.result('finished');
  }

  private async passed({ rows, failed, passed }: Extract<Chunk, { is: 'done' }>): Promise<void> {
    const { rate, clock, events } = this.options;
    this.behind = passed;
    this.done += rows;
    this.unseen += rows;
    this.failed += failed;
    this.size = Math.min(this.most, this.size * 2);
    this.tellWait(null);
    events.onProgress(this.done);
    if (rate === null || rows === 0) return;
    // What was not used of the rate is lost after a second: no burst follows a long wait.
    this.due = Math.max(this.due, clock.monotonic() - 1_000) + (rows / rate) * 1_000;
    await this.sleepUntil(this.due);
  }

  /** Fewer rows until the one is found that cannot be written whole: that one is recorded by its key, with the reason, and told. */
  private async broken(message: string): Promise<void> {
    if (this.size > 1) {
      this.size = Math.max(1, this.size >> 2);
      return;
    }
    const chunk = await recordChunk(this.clients, this.target, this.owner, this.behind, 1, message);
    if (chunk.is === 'done') await this.passed(chunk);
    if (chunk.is === 'not ours') throw await this.notOurs(chunk.message);
  }

  private async waitFor(message: string, failures: number): Promise<void> {
    this.size = Math.max(1, this.size >> 2);
    if (this.size === 1) this.tellWait(`another transaction is in the way: ${message}`);
    const wait = Math.min(WAIT.longest, WAIT.first * 2 ** Math.min(failures, 10));
    await this.sleepUntil(this.options.clock.monotonic() + wait);
  }

  private tellWait(why: string | null): void {
    if ((why === null) === (this.waitsFor === null)) return;
    this.waitsFor = why;
    const { events } = this.options;
    events.onWait(why);
  }

  /** Does not hurry away from the service: what is live would wait behind it. With a rate a person has decided. */
  private async keepUp(): Promise<void> {
    await this.look();
    while (this.options.rate === null && this.seen.led && this.seen.behind >= BACKLOG && !this.options.interrupted()) {
      this.tellWait('the service has a backlog: live changes would wait behind the backfill');
      await this.options.sleep(LOOK_EVERY);
      await this.look();
    }
  }

  private async sleepUntil(moment: number): Promise<void> {
    const { clock, sleep, interrupted } = this.options;
    while (!interrupted()) {
      const rest = moment - clock.monotonic();
      if (rest <= 0) return;
      await sleep(Math.min(rest, SIGN_OF_LIFE * 1_000));
      await this.look();
    }
  }

  private async look(): Promise<void> {
    const { clock, stream, events } = this.options;
    if (clock.monotonic() - this.lookedAt < LOOK_EVERY && !this.mayBeAhead()) return;
    const before = this.seen.version;
    this.seen = await lookRound(this.client, this.owner, { stream, observers: this.target.subject.observers, limit: BACKLOG });
    [this.lookedAt, this.unseen] = [clock.monotonic(), 0];
    if (!this.seen.mine) throw await this.notOurs(null);
    if (this.seen.version !== null && this.seen.version !== before) await events.onVersion(this.seen.version);
  }

  /** Whether what was written since the last look may have made the backlog: how fast that goes depends on the machine. */
  private mayBeAhead(): boolean {
    const { led, behind } = this.seen;
    return this.options.rate === null && led && this.unseen > 0 && behind + this.unseen >= BACKLOG;
  }

  private async notOurs(message: string | null): Promise<OperatorError> {
    const { subject } = this.target;
    const record = await readBackfill(this.client, this.owner.id);
    if (record?.state === 'cancelled')
      return new OperatorError(`the backfill was cancelled by ${record.endedBy}; rows sent: ${record.done}`, 'To begin anew, run the same command again.'); // prettier-ignore
    const { rows } = await this.client.query<{ run: string | null }>('select run::text from observers.backfill where id = $1', [
      this.owner.id,
    ]);
    if (rows[0]?.run !== this.owner.run)
      return new OperatorError('another process works on this backfill now', 'See how far it is: fraiseql-observers backfill list');
    return new OperatorError(
      `${subject.table} or its capture has changed since the backfill began${message === null ? '' : `: ${message}`}`,
      'Nothing of the last chunk was sent. See what capture check says, then run the same command again: it goes on where it was.',
    );
  }
}
