import { rolledBack } from '../database/transaction';
import type { ClientBase } from 'pg';
import type { Clock } from '../event/clock';
import { searchPage, type FoundEvent, type SearchFilter, type SearchPage } from './postgres-audit-trail.sql';

/** Few first, for somebody waits; then as many as make the round trips small beside the work. */
const FIRST_PAGE = 500;
const PAGE = 5_000;
const QUERY_CANCELLED = '57014';

export interface SearchRequest {
  readonly words: readonly string[];
  readonly filter: SearchFilter;
  readonly limit: number;
  /** Milliseconds for all of it. */
  readonly timeout: number;
}

export interface SearchResult {
  /** Newest first. */
  readonly found: readonly FoundEvent[];
  /** `limit`: there may be more. `time`: what is older than `reached` has not been looked at. `end`: that is all. */
  readonly ended: 'limit' | 'time' | 'end';
  readonly looked: number;
  /** The oldest change that was looked at; null when the first page took too long, or there is none. */
  readonly reached: SearchPage['reached'];
}

/** Looks through the stored changes, newest first, until enough is found, all is seen, or the time is up. Masked and excluded columns are not stored. */
export async function searchEvents(client: ClientBase, clock: Clock, request: SearchRequest): Promise<SearchResult> {
  const { words, filter, limit, timeout } = request;
  const deadline = clock.monotonic() + timeout;
  const found: FoundEvent[] = [];
  let [looked, reached]: [number, SearchPage['reached']] = [0, null];
  for (let [below, rows] = [Number.MAX_SAFE_INTEGER, FIRST_PAGE]; ; rows = PAGE) {
    const page = await withinTime(client, deadline - clock.monotonic(), () => searchPage(client, words, filter, below, rows));
    if (page === null) return { found, ended: 'time', looked, reached };
    looked += page.looked;
    found.push(...page.found);
    if (found.length >= limit) return { found: found.slice(0, limit), ended: 'limit', looked, reached: page.reached ?? reached };
    if (page.reached === null) return { found, ended: 'end', looked, reached };
    ({ reached } = page);
    below = page.reached.change;
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
