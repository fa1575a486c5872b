import type { HistoryFilter } from '../explain/facts.sql';

/** Where a word was found. `note`: why a delivery was skipped, or what people did about a dead letter. */
export type FoundIn = 'entity' | 'event' | 'change' | 'data' | 'before' | 'error' | 'note';

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

/** Of one try; null does not narrow it down. */
export interface TryFilter {
  readonly observer: string | null;
  readonly action: string | null;
  readonly outcome: string | null;
  readonly error: string | null;
}

export interface SearchFilter extends HistoryFilter {
  /** Written then or later, RFC 3339. */
  readonly since: string | null;
  /** Written before then. */
  readonly until?: string | null;
  /** Only events of these; left out: of all, and of none. */
  readonly tenants?: readonly string[] | null;
  /** Only events with a try that is all of this. */
  readonly tried?: TryFilter;
}

export interface SearchRequest {
  /** Each must be found; a text that holds them, in any case. None: all that the filter leaves. */
  readonly words: readonly string[];
  readonly filter: SearchFilter;
  readonly limit: number;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  /** By the number of the change; newest first when it is left out. */
  readonly order?: 'newest' | 'oldest';
  /** Only what comes behind this change, in that order. */
  readonly behind?: number | null;
}

/** How far a search has come: a change, and when it was written. */
export interface Reached {
  readonly change: number;
  readonly written: string;
}

export interface SearchResult {
  readonly found: readonly FoundEvent[];
  /** `limit`: there may be more. `time`: what lies behind `reached` has not been looked at. `end`: that is all. */
  readonly ended: 'limit' | 'time' | 'end';
  readonly looked: number;
  /** The last change that was looked at; null when the first page took too long, or there is none. */
  readonly reached: Reached | null;
}

export const COUNTED_BY = ['observer', 'outcome', 'error', 'hour'] as const;
export type CountedBy = (typeof COUNTED_BY)[number];

export interface CountRequest extends Pick<SearchRequest, 'words' | 'filter' | 'timeout'> {
  /** An hour is that in which a try ended, in UTC. */
  readonly by: CountedBy;
}

export interface CountResult {
  /** Tries of the events that were found, as far as the filter is about tries those that it leaves; most first, hours in their order. */
  readonly counts: readonly { readonly value: string; readonly count: number }[];
  /** `time`: not all of them are counted. */
  readonly ended: 'time' | 'end';
}

/** What has happened, to be found by words: in entities, ids, data, and what came of it. Masked and excluded columns are not stored. */
export abstract class AuditTrail {
  /** A search whose time is up gives what it has. Words are texts: no character of theirs means anything else. */
  abstract search(request: SearchRequest): Promise<SearchResult>;

  abstract count(request: CountRequest): Promise<CountResult>;
}
