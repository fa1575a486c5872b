import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { BackgroundAudits } from '../audit/background-audits';
import { ServiceConfiguration } from '../config/service-configuration';
import type { TermContext } from '../event/term-context';
import { Timers } from '../event/timers';
import type { SideJob } from '../pipeline/side-job';
import type { CaptureWatch } from './capture-watch';
import { Upkeep } from './upkeep';

/** What a leader does besides delivering. */
@Injectable()
export class SideJobs {
  constructor(
    private readonly pool: Pool,
    private readonly configuration: ServiceConfiguration,
    private readonly audits: BackgroundAudits,
    private readonly timers: Timers,
  ) {}

  /** @throws when today's partition can not be made; then none has begun */
  async begin(term: TermContext, captureWatch: CaptureWatch): Promise<SideJob[]> {
    const upkeep = new Upkeep(this.pool, this.configuration.settings.retention, term.logger, this.timers);
    await upkeep.start(term.stream);
    return [upkeep, ...this.audits.begin(term), captureWatch.begin(term.mandate)];
  }
}
