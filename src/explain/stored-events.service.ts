import { Injectable } from '@nestjs/common';
import type { ChangeRow } from '../change-log/change-row.sql';
import type { PageLimits } from '../change-log/change-log.sql';
import { findStored, readSomeChanges, readStored, type StoredRange } from '../change-log/changes-by-number.sql';
import { findChange } from '../change-log/changes-by-id.sql';
import { decode, type Decoded } from '../change-log/decode';
import { PageSize } from '../change-log/page-size';
import { Database } from '../database/database';
import { allows } from '../event/bounds';
import { isChange, latestChanges, type HistoryFilter } from './facts.sql';
import { listEvents, readTenant, type StoredEvent } from './stored-events.sql';

export type { StoredEvent } from './stored-events.sql';

/** The changes that the log still has, as people look for them. */
@Injectable()
export class StoredEvents {
  constructor(private readonly database: Database) {}

  /** The change number of an event's id; null when there is no such event. */
  find(eventId: string): Promise<number | null> {
    return this.database.use((client) => findChange(client, eventId));
  }

  /** Whether a change with this number is stored, and was written since this product watches the table. */
  has(change: number): Promise<boolean> {
    return this.database.use((client) => isChange(client, change));
  }

  /** Null when it is no longer stored. @param maxEventSize bytes of an image above which a change is no event */
  async read(change: number, maxEventSize: number): Promise<Decoded | null> {
    const limits = { bytes: maxEventSize, eventBytes: maxEventSize };
    const [row] = (await this.database.use((client) => readSomeChanges(client, [change], limits, new PageSize()))).rows;
    return row === undefined ? null : decode(row, maxEventSize);
  }

  /** Whether a change is of one of these tenants; null: of whomever, also when it is stored no longer. */
  async isOf(change: number, tenants: readonly string[] | null): Promise<boolean> {
    if (tenants === null) return true;
    return allows(tenants, (await this.database.use((client) => readTenant(client, change))) ?? null);
  }

  /**
   * Newest first, without their images.
   *
   * @param behind the change number of the last one of the page before
   * @param tenants only of these; null: of all, and of none
   */
  list(
    stream: string,
    filter: HistoryFilter,
    behind: number | null,
    limit: number,
    tenants: readonly string[] | null = null,
  ): Promise<StoredEvent[]> {
    return this.database.use((client) => listEvents(client, stream, filter, behind, limit, tenants));
  }

  /** Change numbers, newest first. */
  latest(filter: HistoryFilter, limit: number): Promise<number[]> {
    return this.database.use((client) => latestChanges(client, filter, limit));
  }

  /** Where the changes begin and end that were written since then, or the newest so many of them. */
  range(since: string, limit: number | null): Promise<Omit<StoredRange, 'since'> & { readonly count: number }> {
    return this.database.use((client) => findStored(client, since, limit));
  }

  /** The next page of a range, in the order of change numbers; empty behind its end. */
  page(range: StoredRange, limits: Pick<PageLimits, 'bytes' | 'eventBytes'>, pageSize: PageSize): Promise<ChangeRow[]> {
    return this.database.use((client) => readStored(client, range, limits, pageSize));
  }
}
