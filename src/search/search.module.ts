import { Module } from '@nestjs/common';
import { Database } from '../database/database';
import { Clock } from '../event/clock';
import { AuditTrail } from './audit-trail';
import { PostgresAuditTrail } from './postgres-audit-trail';

/** A driver is a file and a line; test/conformance/audit-trail.test.ts runs each. */
export const AUDIT_TRAILS = {
  postgres: (database: Database, clock: Clock): AuditTrail => new PostgresAuditTrail(database, clock),
};

@Module({
  providers: [{ provide: AuditTrail, inject: [Database, Clock], useFactory: AUDIT_TRAILS.postgres }],
  exports: [AuditTrail],
})
export class SearchModule {}
