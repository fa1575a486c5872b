import type { HistoryFilter } from '../explain/facts.sql';

/** Where a word was found. */
export type FoundIn = 'entity' | 'event' | 'change' | 'data' | 'before' | 'error';

export interface FoundEvent {
  readonly change: number;
  readonly event: string;
  readonly entityType: string;
  readonly entityKey: string | null;
  readonly kind: string;
  /** RFC 3339. */
  readonly written: string;
  readonly foundIn: readonly FoundIn[];
  /** Around the first word that was found in a text; null when it was found in what is shown anyway. */
  readonly excerpt: string | null;
}

export interface SearchFilter extends HistoryFilter {
  /** Written then or later, RFC 3339. */
  readonly since: string | null;
  /** Only events of these; left out: of all, and of none. */
  readonly tenants?: readonly string[] | null;
}

export interface SearchRequest {
  /** Each must be found; a text that holds them, in any case. */
  readonly words: readonly string[];
  readonly filter: SearchFilter;
  readonly limit: number;
  /** Milliseconds for all of it. */
  readonly timeout: number;
}

/** How far a search has come: a change, and when it was written. */
export interface Reached {
  readonly change: number;
  readonly written: string;
}

export interface SearchResult {
  /** Newest first. */
  readonly found: readonly FoundEvent[];
  /** `limit`: there may be more. `time`: what is older than `reached` has not been looked at. `end`: that is all. */
  readonly ended: 'limit' | 'time' | 'end';
  readonly looked: number;
  /** The oldest change that was looked at; null when the first page took too long, or there is none. */
  readonly reached: Reached | null;
}

/** What has happened, to be found by words: in entities, ids, data, and the errors of tries. Masked and excluded columns are not stored. */
export abstract class AuditTrail {
  /** A search whose time is up gives what it has. Words are texts: no character of theirs means anything else. */
  abstract search(request: SearchRequest): Promise<SearchResult>;
}
