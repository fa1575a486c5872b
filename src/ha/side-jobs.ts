import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Logger } from 'pino';
import { BackgroundAudits } from '../audit/background-audit';
import { isLocked } from '../database/postgres';
import { createAttemptPartitions } from '../delivery/retention.sql';
import { messageOf } from '../event/errors';
import type { TermContext } from '../event/term-context';
import { Timers, type EndTimer } from '../event/timers';
import type { SideJob } from '../pipeline/side-job';
import { IndexFeeds } from '../search/feed/index-feeds';
import { forgetForeignTransactions } from '../redrive/dead-letter-sets.sql';
import { RetentionRounds } from '../retention/retention-rounds';
import type { CaptureWatch } from './capture-watch';

/** What a leader does besides delivering. */
@Injectable()
export class SideJobs {
  constructor(
    private readonly pool: Pool,
    private readonly retention: RetentionRounds,
    private readonly audits: BackgroundAudits,
    private readonly timers: Timers,
    private readonly feeds: IndexFeeds,
  ) {}

  /** @throws when today's partition can not be made; then none has begun */
  async begin(term: TermContext, captureWatch: CaptureWatch): Promise<SideJob[]> {
    const upkeep = new Upkeep(this.pool, term.logger, this.timers);
    await upkeep.start(term.stream);
    return [
      upkeep,
      this.retention.begin(term),
      ...this.audits.begin(term),
      ...(await this.feeds.begin(term)),
      captureWatch.begin(term.mandate),
    ];
  }
}

const EVERY = 60_000;
/** What the leader does on the side: partitions for the days to come, and items that came with a dump. Removing what is old is the retention's. */
class Upkeep implements SideJob {
  private end: EndTimer = () => Promise.resolve();

  constructor(
    private readonly pool: Pool,
    private readonly logger: Logger,
    private readonly timers: Timers,
  ) {}

  /** Makes today's partition before the first outcome is written, if nobody holds the table; then goes on by itself. */
  async start(stream: string): Promise<void> {
    await createAttemptPartitions(this.pool).catch((error: unknown) => {
      if (!isLocked(error)) throw error;
      this.logger.warn({ err: messageOf(error) }, 'the partition for today could not be made yet; it is tried again in a minute');
    });
    this.end = this.timers.every(`upkeep ${stream}`, EVERY, () => this.run());
  }

  stop(): Promise<void> {
    return this.end();
  }

  private async run(): Promise<void> {
    try {
      await createAttemptPartitions(this.pool);
      await forgetForeignTransactions(this.pool);
    } catch (error) {
      this.logger.warn({ err: messageOf(error) }, 'upkeep failed; it is tried again in a minute');
    }
  }
}
