import type { ClientBase } from 'pg';
import type { Database } from '../database/database';
import { rolledBack } from '../database/transaction';
import type { Clock } from '../event/clock';
import { AuditTrail, type FoundEvent, type SearchRequest, type SearchResult } from './audit-trail';
import { searchPage } from './postgres-audit-trail.sql';

/** Few first, for somebody waits; then as many as make the round trips small beside the work. */
const FIRST_PAGE = 500;
const PAGE = 5_000;
const QUERY_CANCELLED = '57014';

/** Looks through the stored changes, newest first, until enough is found, all is seen, or the time is up. */
export class PostgresAuditTrail extends AuditTrail {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    super();
  }

  search(request: SearchRequest): Promise<SearchResult> {
    return this.database.use((client) => this.look(client, request));
  }

  private async look(client: ClientBase, { words, filter, limit, timeout }: SearchRequest): Promise<SearchResult> {
    // No text of PostgreSQL's holds the character 0, and a statement that does is refused.
    if (words.some((word) => word.includes('\0'))) return { found: [], ended: 'end', looked: 0, reached: null };
    const deadline = this.clock.monotonic() + timeout;
    const found: FoundEvent[] = [];
    let [looked, reached]: [number, SearchResult['reached']] = [0, null];
    for (let [below, rows] = [Number.MAX_SAFE_INTEGER, FIRST_PAGE]; ; rows = PAGE) {
      const page = await withinTime(client, deadline - this.clock.monotonic(), () => searchPage(client, words, filter, below, rows));
      if (page === null) return { found, ended: 'time', looked, reached };
      looked += page.looked;
      found.push(...page.found);
      if (found.length >= limit) return { found: found.slice(0, limit), ended: 'limit', looked, reached: page.reached ?? reached };
      if (page.reached === null) return { found, ended: 'end', looked, reached };
      ({ reached } = page);
      below = page.reached.change;
    }
  }
}

/** @returns null when the time is up: PostgreSQL itself ends the statement */
async function withinTime<T>(client: ClientBase, milliseconds: number, work: () => Promise<T>): Promise<T | null> {
  if (milliseconds < 1) return null;
  const begin = `begin read only; set local statement_timeout = ${Math.ceil(milliseconds)}`;
  return rolledBack<T | null>(client, begin, work).catch((error: unknown) => {
    if ((error as { code?: string }).code === QUERY_CANCELLED) return null;
    throw error;
  });
}
