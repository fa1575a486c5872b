import type { Clock } from '../event/clock';
import {
  AuditTrail,
  type CountedBy,
  type FoundEvent,
  type Reached,
  type SearchFilter,
  type SearchRequest,
  type SearchResult,
} from './audit-trail';
import { isNowhere } from './words';

/** Few first, for somebody waits; then as many as make the round trips small beside the work. */
const FIRST_PAGE = 500;
const PAGE = 5_000;

export interface SearchPage {
  readonly found: readonly FoundEvent[];
  /** Changes that were looked at. */
  readonly looked: number;
  /** The last of them, and when it was written; null behind the last page. */
  readonly reached: Reached | null;
}

export interface PageRequest {
  readonly words: readonly string[];
  readonly filter: SearchFilter;
  readonly order: 'newest' | 'oldest';
  /** Exclusive. */
  readonly behind: number;
  readonly rows: number;
}

/** Reads one page within so many milliseconds. @returns null when the time was up */
export type ReadPage = (page: PageRequest, milliseconds: number) => Promise<SearchPage | null>;

/** Before the first change, in each order. */
export const BEFORE_ALL = { newest: Number.MAX_SAFE_INTEGER, oldest: 0 } as const;

/** Page after page, until enough is found, all is seen, or the time is up. */
export abstract class PagedAuditTrail extends AuditTrail {
  constructor(protected readonly clock: Clock) {
    super();
  }

  protected async look(
    { words, filter, limit, timeout, order = 'newest', behind = null }: SearchRequest,
    read: ReadPage,
  ): Promise<SearchResult> {
    if (words.some(isNowhere)) return { found: [], ended: 'end', looked: 0, reached: null };
    const deadline = this.clock.monotonic() + timeout;
    const found: FoundEvent[] = [];
    let [looked, reached]: [number, SearchResult['reached']] = [0, null];
    for (let [place, rows] = [behind ?? BEFORE_ALL[order], FIRST_PAGE]; ; rows = PAGE) {
      const left = deadline - this.clock.monotonic();
      const page = left < 1 ? null : await read({ words, filter, order, behind: place, rows }, left);
      if (page === null) return { found, ended: 'time', looked, reached };
      looked += page.looked;
      found.push(...page.found);
      if (found.length > limit) return { found: found.slice(0, limit), ended: 'limit', looked, reached: page.reached ?? reached };
      if (page.reached === null) return { found, ended: 'end', looked, reached };
      ({ reached } = page);
      if (found.length === limit) return { found, ended: 'limit', looked, reached };
      place = page.reached.change;
    }
  }
}

/** Most first, hours in their order. */
export function inOrder(counts: ReadonlyMap<string, number>, by: CountedBy): { value: string; count: number }[] {
  const all = [...counts].map(([value, count]) => ({ value, count }));
  const byValue = (a: { value: string }, b: { value: string }): number => (a.value < b.value ? -1 : 1);
  return by === 'hour' ? all.sort(byValue) : all.sort((a, b) => b.count - a.count || byValue(a, b));
}
