import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { ServiceConfiguration } from '../config/service-configuration';
import { PooledDatabase, type Database } from '../database/database';
import { isLogAdopted } from '../delivery/retention.sql';
import { messageOf } from '../event/errors';
import type { TermContext } from '../event/term-context';
import { Timers, type EndTimer } from '../event/timers';
import { Pause } from '../event/timing';
import type { SideJob } from '../pipeline/side-job';
import { ChangeLogCut } from './change-log-cut.sql';
import { choresOf } from './chores';
import { policyOf, type Removable, type RetentionPolicy, type RetentionSettings } from './policy';
import { RetentionTally } from './retention-tally';
import { readRetained } from './status.sql';
import { sweep } from './sweep';

const EVERY = 60_000;
/** Then the next round takes what is left. */
const LONGEST = 50_000;
const HOUR = 3_600_000;
/** After a transaction nothing is done for so many times what it took: a fifth of one connection while there is little else to do, and … */
const EASY = 4;
/** … a tenth while this process is busy (half of the time or more): that still cuts some thousand changes a second. */
const BUSY = 9;
const BUSY_FROM = 0.5;

interface RoundsOptions {
  readonly database: Database;
  readonly settings: RetentionSettings;
  readonly timers: Timers;
  readonly tally: RetentionTally;
}

/** What a leader removes each minute because it is finished and older than it is kept. */
class Rounds implements SideJob {
  private readonly cut = new ChangeLogCut();
  private readonly pausing = new Pause();
  private stopped = false;
  private policy: RetentionPolicy | null = null;
  /** When the tables were last looked at that grow slowly. */
  private rareAt = -HOUR;
  private load = performance.eventLoopUtilization();
  private readonly end: EndTimer;

  constructor(
    private readonly term: TermContext,
    private readonly options: RoundsOptions,
  ) {
    this.end = options.timers.every(`retention ${term.stream}`, EVERY, () => this.round());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.pausing.wake();
    await this.end();
    this.options.tally.oldest = new Map();
  }

  private async round(): Promise<void> {
    const { database, settings, tally } = this.options;
    const began = performance.now();
    const isOver = (): boolean => this.stopped || !this.term.mandate.valid || performance.now() - began > LONGEST;
    if (isOver()) return;
    try {
      this.policy ??= policyOf(settings, await database.use(isLogAdopted));
      const isRare = began - this.rareAt >= HOUR;
      const errors = tally.errors;
      this.cut.begin(began);
      const chores = choresOf(this.policy, this.cut).filter(({ rare }) => isRare || !rare);
      const removed = new Map<Removable, number>();
      const finished = await sweep(database, chores, {
        stopped: isOver,
        rests: () => (this.isBusy() ? BUSY : EASY),
        pause: (milliseconds) => (this.stopped ? Promise.resolve() : this.pausing.for(milliseconds)),
        removed: (table, count) => {
          tally.add(table, count);
          removed.set(table, (removed.get(table) ?? 0) + count);
        },
        failed: (table, error) => this.failed(`what is old of ${table} could not be removed; it is tried again in a minute`, error),
      });
      if (isRare && finished && tally.errors === errors) this.rareAt = began;
      if (removed.size > 0) this.term.logger.info({ removed: Object.fromEntries(removed) }, 'what was older than it is kept was removed');
      tally.oldest = new Map(
        (await database.use(readRetained)).flatMap(({ table, oldest }) => (oldest === null ? [] : [[table, Date.parse(oldest)] as const])),
      );
    } catch (error) {
      this.failed('the retention could not look; it tries again in a minute', error);
    }
  }

  private failed(message: string, error: unknown): void {
    this.options.tally.errors++;
    this.term.logger.warn({ err: messageOf(error) }, message);
  }

  private isBusy(): boolean {
    const before = this.load;
    this.load = performance.eventLoopUtilization();
    return performance.eventLoopUtilization(this.load, before).utilization > BUSY_FROM;
  }
}

/** The retention of a leader, for as long as its term lasts. */
@Injectable()
export class RetentionRounds {
  constructor(
    private readonly pool: Pool,
    private readonly configuration: ServiceConfiguration,
    private readonly timers: Timers,
    private readonly tally: RetentionTally,
  ) {}

  begin(term: TermContext): SideJob {
    const { retention, retentionLog, retentionDeadLetters, retentionVersions, retentionOperations } = this.configuration.settings;
    const settings = { retention, retentionLog, retentionDeadLetters, retentionVersions, retentionOperations };
    return new Rounds(term, { database: new PooledDatabase(this.pool), settings, timers: this.timers, tally: this.tally });
  }
}
