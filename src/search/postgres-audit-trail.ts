import type { ClientBase } from 'pg';
import type { Database } from '../database/database';
import { isCancelled } from '../database/postgres';
import { rolledBack } from '../database/transaction';
import type { Clock } from '../event/clock';
import type { CountRequest, CountResult, SearchRequest, SearchResult } from './audit-trail';
import { inOrder, PagedAuditTrail, type ReadPage } from './paged-audit-trail';
import { countTries, searchPage } from './postgres-audit-trail.sql';

/** Looks through the stored changes. */
export class PostgresAuditTrail extends PagedAuditTrail {
  constructor(
    private readonly database: Database,
    clock: Clock,
  ) {
    super(clock);
  }

  search(request: SearchRequest): Promise<SearchResult> {
    return this.database.use((client) => this.look(request, pagesOf(client)));
  }

  count({ by, ...request }: CountRequest): Promise<CountResult> {
    const counts = new Map<string, number>();
    return this.database.use(async (client) => {
      const read = pagesOf(client, async (changes) => {
        for (const { value, count } of await countTries(client, changes, by, request.filter.tried))
          counts.set(value, (counts.get(value) ?? 0) + count);
      });
      const { ended } = await this.look({ ...request, limit: Number.MAX_SAFE_INTEGER }, read);
      return { counts: inOrder(counts, by), ended: ended === 'time' ? 'time' : 'end' };
    });
  }
}

/** @param also done with the changes of each page, within its time */
function pagesOf(client: ClientBase, also: (changes: readonly number[]) => Promise<void> = () => Promise.resolve()): ReadPage {
  return (request, milliseconds) =>
    withinTime(client, milliseconds, async () => {
      const page = await searchPage(client, request);
      await also(page.found.map(({ change }) => change));
      return page;
    });
}

/** @returns null when the time is up: PostgreSQL itself ends the statement */
async function withinTime<T>(client: ClientBase, milliseconds: number, work: () => Promise<T>): Promise<T | null> {
  const begin = `begin read only; set local statement_timeout = ${Math.ceil(milliseconds)}`;
  return rolledBack<T | null>(client, begin, work).catch((error: unknown) => {
    if (isCancelled(error)) return null;
    throw error;
  });
}
