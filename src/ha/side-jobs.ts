import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Logger } from 'pino';
import { BackgroundAudits } from '../audit/background-audit';
import { ServiceConfiguration } from '../config/service-configuration';
import { forgetExpiredKeys } from '../dedup/postgres-dedup.sql';
import { createAttemptPartitions, cutChangeLog, dropOldAttempts, forgetAudited } from '../delivery/retention.sql';
import { messageOf } from '../event/errors';
import type { TermContext } from '../event/term-context';
import { Timers, type EndTimer } from '../event/timers';
import type { SideJob } from '../pipeline/side-job';
import { IndexFeeds } from '../search/feed/index-feeds';
import { forgetForeignTransactions } from '../redrive/dead-letter-sets.sql';
import type { CaptureWatch } from './capture-watch';

/** What a leader does besides delivering. */
@Injectable()
export class SideJobs {
  constructor(
    private readonly pool: Pool,
    private readonly configuration: ServiceConfiguration,
    private readonly audits: BackgroundAudits,
    private readonly timers: Timers,
    private readonly feeds: IndexFeeds,
  ) {}

  /** @throws when today's partition can not be made; then none has begun */
  async begin(term: TermContext, captureWatch: CaptureWatch): Promise<SideJob[]> {
    const upkeep = new Upkeep(this.pool, this.configuration.settings.retention, term.logger, this.timers);
    await upkeep.start(term.stream);
    return [upkeep, ...this.audits.begin(term), ...(await this.feeds.begin(term)), captureWatch.begin(term.mandate)];
  }
}

const EVERY = 60_000;
const BATCH = 1_000;
const LOCK_NOT_AVAILABLE = '55P03';
/** Rows cut in one round at most: 20 short transactions a minute keep up with 300 events a second, and backlogs go overnight. */
const BATCHES = 20;

/** What the leader does on the side: partitions for the days to come, and cutting what is older than the retention. */
class Upkeep implements SideJob {
  private stopped = false;
  private end: EndTimer = () => Promise.resolve();

  /** @param retention milliseconds for which attempts are kept */
  constructor(
    private readonly pool: Pool,
    private readonly retention: number,
    private readonly logger: Logger,
    private readonly timers: Timers,
  ) {}

  /** Makes today's partition before the first outcome is written, if nobody holds the table; then goes on by itself. */
  async start(stream: string): Promise<void> {
    await createAttemptPartitions(this.pool).catch((error: unknown) => {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
      this.logger.warn({ err: messageOf(error) }, 'the partition for today could not be made yet; it is tried again in a minute');
    });
    this.end = this.timers.every(`upkeep ${stream}`, EVERY, () => this.run());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.end();
  }

  private async run(): Promise<void> {
    try {
      await createAttemptPartitions(this.pool);
      const dropped = await dropOldAttempts(this.pool, this.retention);
      if (dropped.length > 0) this.logger.info({ dropped }, 'attempts older than the retention were dropped');
      await forgetForeignTransactions(this.pool);
      for (let batch = 0; batch < BATCHES && !this.stopped; batch++) {
        if ((await cutChangeLog(this.pool, this.retention, BATCH)) < BATCH) break;
      }
      for (let batch = 0; batch < BATCHES && !this.stopped; batch++) {
        if ((await forgetExpiredKeys(this.pool, BATCH)) < BATCH) break;
      }
      await forgetAudited(this.pool, BATCH);
    } catch (error) {
      this.logger.warn({ err: messageOf(error) }, 'upkeep failed; it is tried again in a minute');
    }
  }
}
