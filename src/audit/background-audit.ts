import { Injectable } from '@nestjs/common';
import { pooledTransaction, SNAPSHOT } from '../database/transaction';
import { Pool, type PoolClient } from 'pg';
import type { VersionText } from '../config/rules';
import type { Settings } from '../config/settings';
import type { ObserversDefinition } from '../event/definitions';
import { SIDE_PAGE_BYTES } from '../event/image-budget';
import { messageOf } from '../event/errors';
import { Versions } from '../explain/versions';
import type { TermContext } from '../event/term-context';
import { Pause } from '../event/timing';
import type { ChangeRow } from '../change-log/change-row.sql';
import { readPage, type Floor, type Page } from '../change-log/change-log.sql';
import { readSomeChanges, type SomeChanges } from '../change-log/changes-by-number.sql';
import { MOST_ROWS, PageSize } from '../change-log/page-size';
import type { Cursor } from '../checkpoint/cursor';
import { ServiceConfiguration } from '../config/service-configuration';
import type { SideJob } from '../pipeline/side-job';
import { examineChanges, Records } from './account';
import { selectAudited } from './audit.sql';
import {
  beginAudit, countOpen, readBeginning, readFinished, readLateDecisions, readOpen, saveStep,
  type AuditFence, type AuditProgress, type AuditStep, type UnaccountedKey,
} from './background.sql'; // prettier-ignore

/** A step takes a page, which is 20 ms of one connection and 5 ms of this process. */
const PAGE = { rows: MOST_ROWS, bytes: Math.min(SIDE_PAGE_BYTES, 8 * 1024 * 1024) };
/** After a step nothing is done for so many times what it took: a fifth of one connection while there is little else to do, and … */
const EASY = 4;
/** … one part in two hundred of it when this process is busy (half of the time or more), so that deliveries do not notice. */
const BUSY = 200;
const BUSY_FROM = 0.5;
const LONGEST_PAUSE = 60_000;
/** The first step of a term comes after so long at most: a service that is restarted often is audited too. */
const FIRST_AFTER = 1_000;
/** Unaccounted deliveries that are kept, and looked at again, at most; the audit waits until some of them are mended. */
export const MOST_UNACCOUNTED = 10_000;
const RECHECKED = 1_000;
/** Accounted changes that are looked at again in each interval: three million a day. */
const PATROLLED = 500;
/** So many findings are logged in a step, each by itself. */
const LOGGED = 20;

/** How a step's transaction begins. It plans as the reader does: the page is found by its indexes, and never by a look at the whole log. */
const BY_INDEX = `${SNAPSHOT}; set local enable_seqscan = off; set local plan_cache_mode = force_generic_plan`;

export interface BackgroundAuditOptions {
  readonly pool: Pool;
  readonly settings: Settings;
  readonly definitionOf: (version: VersionText) => ObserversDefinition;
}

type Finished = NonNullable<Awaited<ReturnType<typeof readFinished>>>;

/**
 * Accounts for what the stream has passed, as long as this instance leads it: page after page, each in a snapshot of its own, in which
 * outcomes and what waits for one are seen together. How far it has come, and what it misses, stands in PostgreSQL.
 */
class BackgroundAudit implements SideJob {
  private readonly versions: Versions;
  private readonly fence: AuditFence;
  private progress: AuditProgress | null = null;
  private floor: Floor | null = null;
  private readonly pageSize = new PageSize();
  private rechecked: UnaccountedKey | null = null;
  private load = performance.eventLoopUtilization();
  private stopped = false;
  private failing = false;
  private readonly pausing = new Pause();
  private readonly running: Promise<void>;

  constructor(
    private readonly term: TermContext,
    private readonly options: BackgroundAuditOptions,
  ) {
    this.versions = new Versions(options.pool, options.definitionOf);
    this.fence = term;
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.pausing.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    const { auditInterval } = this.options.settings;
    await this.pause(Math.min(auditInterval, FIRST_AFTER));
    while (!this.stopped && !this.term.mandate.lost) {
      const began = performance.now();
      const more = await this.turn();
      const took = performance.now() - began;
      await this.pause(more ? Math.min(took * (this.isBusy() ? BUSY : EASY), LONGEST_PAUSE) : auditInterval);
    }
  }

  /** @returns whether there is more to do at once */
  private async turn(): Promise<boolean> {
    const { logger } = this.term;
    try {
      const more = this.term.mandate.valid && (await this.step());
      if (this.failing) logger.info('the audit goes on');
      this.failing = false;
      return more;
    } catch (error) {
      if (!this.failing) logger.warn({ err: messageOf(error) }, 'the audit in the background cannot go on; it is tried again');
      this.failing = true;
      // It belongs to a window that may not be the one that comes next.
      this.floor = null;
      return false;
    }
  }

  private async step(): Promise<boolean> {
    const { pool } = this.options;
    const { stream } = this.term;
    this.progress ??= await beginAudit(pool, this.fence);
    const finished = await readFinished(pool, stream);
    if (this.progress === null || finished === null) return false;
    const { progress } = this;
    const isFull = (await countOpen(pool, stream)) >= MOST_UNACCOUNTED;
    const { more, floor, ...step } = await pooledTransaction(pool, BY_INDEX, (client) => this.look(client, progress, finished, isFull));
    if (!(await this.save(step))) return false;
    this.floor = floor;
    if (!more && !isFull) await this.patrol(finished);
    return more;
  }

  private async save(step: AuditStep): Promise<boolean> {
    const saved = await saveStep(this.options.pool, this.fence, step);
    if (!saved) return false;
    this.progress = step.progress;
    this.tell(step.found);
    return true;
  }

  private async look(
    client: PoolClient,
    progress: AuditProgress,
    finished: Finished,
    isFull: boolean,
  ): Promise<AuditStep & { readonly more: boolean; readonly floor: Floor | null }> {
    const { stream } = this.term;
    const recheck = await this.recheck(client, stream);
    const page = isFull ? { progress, found: [], completeAt: null, more: false, floor: this.floor } : await this.page(client, progress, finished); // prettier-ignore
    const open = isFull ? [] : await readLateDecisions(client, stream, PAGE.rows);
    const { rows: late, rest } = await this.changes(client, open);
    const found = late.length === 0 ? page.found : [...page.found, ...(await this.examine(client, late))];
    // Those that are gone from the log too: nothing can be said of them any more.
    const remaining = new Set(rest);
    const lateDecisions = open.filter((number) => !remaining.has(number));
    const more = page.more || recheck.more || lateDecisions.length < open.length || open.length === PAGE.rows;
    return { ...page, found, repaired: recheck.repaired, lateDecisions, more };
  }

  /** A little of what is accounted for, once more: what waited then may have been lost since. */
  private async patrol(finished: Finished): Promise<void> {
    const { progress } = this;
    if (progress === null) return;
    const step = await pooledTransaction(this.options.pool, BY_INDEX, async (client): Promise<AuditStep> => {
      const behind = progress.patrolled === 0 ? await readBeginning(client) : progress.patrolled;
      const range = { ...this.options.settings, since: null };
      const changes = await selectAudited(client, range, { previous: finished.snapshot, target: null, after: 0 }, behind, PATROLLED);
      const numbers = changes.map(({ number }) => number);
      const { rows, rest } = await this.changes(client, numbers);
      const found = await this.examine(client, rows);
      const patrolled = numbers[numbers.length - rest.length - 1] ?? 0;
      return { progress: { ...progress, patrolled }, completeAt: null, found, repaired: [], lateDecisions: [] };
    });
    await this.save(step);
  }

  /** The next page of what lies behind the checkpoint. */
  private async page(
    client: PoolClient,
    progress: AuditProgress,
    finished: Finished,
  ): Promise<Pick<AuditStep, 'progress' | 'found' | 'completeAt'> & { readonly more: boolean; readonly floor: Floor | null }> {
    if (progress.target === null && progress.previous === finished.snapshot)
      return { progress, found: [], completeAt: finished.at, more: false, floor: null };
    const target = progress.target ?? finished.snapshot;
    const targetAt = progress.targetAt ?? finished.at;
    const page = await this.nextPage(client, { ...progress, target });
    const found = await this.examine(client, page.rows);
    if (page.last) {
      const end = { ...progress, previous: target, target: null, after: 0, targetAt: null };
      return { progress: end, found, completeAt: targetAt, more: false, floor: null };
    }
    const further = { ...progress, target, after: numberOf(page.rows.at(-1)), targetAt };
    return { progress: further, found, completeAt: null, more: true, floor: page.floor };
  }

  /** Many large rows take PostgreSQL longer than a statement may: then fewer are asked for by the next turn. */
  private async nextPage(client: PoolClient, cursor: Cursor): Promise<Page> {
    const { rows, measured } = this.pageSize;
    const limits = { rows, measured, bytes: PAGE.bytes, eventBytes: this.options.settings.maxEventSize };
    const page = await this.pageSize.reading(() => readPage(client, cursor, limits, this.floor));
    this.pageSize.came(page.rows.length, page.cut);
    return page;
  }

  /** What was missing and is on record now, because somebody sent it, is missing no longer. */
  private async recheck(client: PoolClient, stream: string): Promise<{ repaired: UnaccountedKey[]; more: boolean }> {
    const open = await readOpen(client, stream, this.rechecked, RECHECKED);
    const more = open.length === RECHECKED;
    this.rechecked = more ? (open.at(-1) ?? null) : null;
    if (open.length === 0) return { repaired: [], more };
    const records = await Records.read(client, stream, [...new Set(open.map(({ changeNumber }) => changeNumber))]);
    const isRepaired = ({ changeNumber, observer, action, quarantined }: (typeof open)[number]): boolean =>
      quarantined || records.of(changeNumber, observer, action) != null;
    return { repaired: open.filter(isRepaired), more };
  }

  /** The first of them. */
  private async changes(client: PoolClient, numbers: readonly number[]): Promise<SomeChanges> {
    if (numbers.length === 0) return { rows: [], rest: [] };
    const limits = { bytes: PAGE.bytes, eventBytes: this.options.settings.maxEventSize };
    return readSomeChanges(client, numbers, limits, this.pageSize);
  }

  private examine(client: PoolClient, rows: readonly ChangeRow[]): ReturnType<typeof examineChanges> {
    return examineChanges(client, this.options.settings, this.versions, rows);
  }

  private tell(found: AuditStep['found']): void {
    for (const { changeNumber, observer, action, version } of found.slice(0, LOGGED))
      this.term.logger.error({ change: changeNumber, observer, action, config_version: version }, 'unaccounted: nothing is on record of this delivery (audit list)'); // prettier-ignore
    if (found.length > LOGGED) this.term.logger.error({ more: found.length - LOGGED }, 'more deliveries are unaccounted');
  }

  private isBusy(): boolean {
    const before = this.load;
    this.load = performance.eventLoopUtilization();
    return performance.eventLoopUtilization(this.load, before).utilization > BUSY_FROM;
  }

  private pause(milliseconds: number): Promise<void> {
    return this.stopped ? Promise.resolve() : this.pausing.for(milliseconds);
  }
}

function numberOf(row: ChangeRow | undefined): number {
  return Number(row?.[0]);
}

/** The audit that a leader does on the side, unless OBSERVERS_AUDIT_INTERVAL switches it off. */
@Injectable()
export class BackgroundAudits {
  constructor(
    private readonly pool: Pool,
    private readonly configuration: ServiceConfiguration,
  ) {}

  begin(term: TermContext): SideJob[] {
    const { settings, loaded } = this.configuration;
    return settings.auditInterval === 0
      ? []
      : [new BackgroundAudit(term, { pool: this.pool, settings, definitionOf: loaded.definitionOf })];
  }
}
