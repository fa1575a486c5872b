import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { ServiceConfiguration } from '../config/service-configuration';
import type { TermContext } from '../event/term-context';
import type { SideJob } from '../pipeline/side-job';
import { BackgroundAudit } from './background-audit';

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
