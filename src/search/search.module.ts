import { Module } from '@nestjs/common';
import type { Settings } from '../config/settings';
import { ServiceSettings } from '../config/service-settings';
import { Database } from '../database/database';
import { Clock } from '../event/clock';
import { AuditTrail } from './audit-trail';
import { ElasticsearchAuditTrail } from './elasticsearch/elasticsearch-audit-trail';
import { PostgresAuditTrail } from './postgres-audit-trail';
import { SearchIndex } from './search-index.service';

/** A driver is a file and a line; test/conformance/audit-trail.test.ts runs each. */
export const AUDIT_TRAILS = {
  postgres: (database: Database, clock: Clock): AuditTrail => new PostgresAuditTrail(database, clock),
  elasticsearch: (_: Database, clock: Clock, settings: Settings): AuditTrail => new ElasticsearchAuditTrail(settings, clock),
} satisfies Record<Settings['searchDriver'], (database: Database, clock: Clock, settings: Settings) => AuditTrail>;

@Module({
  providers: [
    SearchIndex,
    {
      provide: AuditTrail,
      inject: [Database, Clock, ServiceSettings],
      useFactory: (database: Database, clock: Clock, { values }: ServiceSettings) =>
        AUDIT_TRAILS[values.searchDriver](database, clock, values),
    },
  ],
  exports: [AuditTrail, SearchIndex],
})
export class SearchModule {}
