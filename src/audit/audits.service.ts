import { Injectable } from '@nestjs/common';
import type { VersionText } from '../config/rules';
import { Database } from '../database/database';
import type { ObserversDefinition } from '../event/definitions';
import { Versions } from '../explain/versions';
import { countUnaccounted, dismissUnaccounted, listUnaccounted, type UnaccountedDelivery, type UnaccountedFilter } from './unaccounted.sql';
import { verify, verifyPart, type Audit, type AuditPart, type AuditRequest } from './verify';

export { QUARANTINE } from './account';
export type { UnaccountedDelivery, UnaccountedFilter } from './unaccounted.sql';
export type { Audit } from './verify';

/** Whether anything is missing, and what people decide about it. */
@Injectable()
export class Audits {
  constructor(private readonly database: Database) {}

  /** Accounts for every change that the stream has passed. @param definitionOf throws ConfigurationError where a version cannot be read */
  verify(request: AuditRequest, definitionOf: (version: VersionText) => ObserversDefinition): Promise<Audit> {
    return this.database.use((client) => verify(client, request, new Versions(client, definitionOf)));
  }

  /** The same from the change behind `behind` on, until it is to stop: whoever asked waits for it. */
  verifyPart(
    request: AuditRequest,
    definitionOf: (version: VersionText) => ObserversDefinition,
    part: { readonly behind: number; readonly stopped: () => boolean },
  ): Promise<AuditPart> {
    return this.database.use((client) => verifyPart(client, request, new Versions(client, definitionOf), part));
  }

  /** Deliveries that the audit in the background found missing, the oldest changes first. */
  unaccounted(stream: string, limit: number): Promise<UnaccountedDelivery[]> {
    return this.database.use((client) => listUnaccounted(client, stream, limit));
  }

  countUnaccounted(stream: string, filter: UnaccountedFilter): Promise<number> {
    return this.database.use((client) => countUnaccounted(client, stream, filter));
  }

  /** Leaves it at that: they stay on record with who decided it, and count no longer. @returns how many */
  dismiss(stream: string, filter: UnaccountedFilter, by: { readonly who: string; readonly reason: string | null }): Promise<number> {
    return this.database.use((client) => dismissUnaccounted(client, stream, filter, by));
  }
}
