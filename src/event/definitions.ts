import type { ActionDefinition } from './action-definitions';
import type { EndpointDefinition, Milliseconds } from './endpoint-definition';
import type { ChangeKind } from './entity-event';

export type * from './action-definitions';
export * from './endpoint-definition';

/** When and how often a failed delivery is tried again. */
export interface RetryPolicy {
  readonly strategy: 'exponential' | 'linear' | 'fixed' | 'schedule';
  /** Tries in all, the first included; with `schedule` one more than its entries. */
  readonly maxAttempts: number;
  readonly initialDelay: Milliseconds;
  readonly maxDelay: Milliseconds;
  /** No try begins later than this after the first one; null means that only the attempts count. */
  readonly maxElapsed: Milliseconds | null;
  /** The waits of `schedule`, in order; empty otherwise. */
  readonly schedule: readonly Milliseconds[];
}

/** Deliveries of one action with the same key within the window are made once. */
export interface DedupPolicy {
  /** May hold `{{ }}`; null: the delivery id, so that a replay within the window is made once. */
  readonly key: string | null;
  readonly window: Milliseconds;
  /** How long a delivery under way keeps the key when its process dies; longer than any of the observer's actions may take. */
  readonly lease: Milliseconds;
}

/** When deliveries of an observer go that do not go at once. */
export type Timing =
  | { readonly is: 'delay'; readonly wait: Milliseconds }
  /** The template renders to a point in time. */
  | { readonly is: 'deliver_at'; readonly template: string }
  /** Of changes with the same key the last one goes, `wait` after it, and `maxWait` after the first at the latest. */
  | { readonly is: 'debounce'; readonly key: string; readonly wait: Milliseconds; readonly maxWait: Milliseconds };

/** Where something more is learnt about an event. */
export interface LookupDefinition {
  readonly name: string;
  /** GET; a value that is missing in its path or headers means that there is nothing to look up. */
  readonly endpoint: EndpointDefinition;
  /** How long an answer is good. */
  readonly ttl: Milliseconds;
  /** How much longer an answer is used while a new one is fetched. */
  readonly staleFor: Milliseconds;
}

/** Which events cause which actions. */
export interface ObserverDefinition {
  readonly name: string;
  /** `shadow`: it never sends; what it would have sent is recorded. */
  readonly mode: 'live' | 'shadow';
  /** Entity types, or `*` for all. */
  readonly entities: readonly string[] | '*';
  readonly kinds: readonly ChangeKind[];
  /** Only updates that changed one of these match; null: whatever they changed. */
  readonly columns: readonly string[] | null;
  /** Whether updates that changed nothing are passed by. */
  readonly ignoreUnchanged: boolean;
  /** Source of the condition; null matches every event of these entities and kinds. */
  readonly when: string | null;
  /** Whether its condition compares times as texts: as releases did that recorded its version of the observers file. */
  readonly timesAsText?: boolean;
  /** What its condition and its actions may use as `lookups.NAME`. */
  readonly lookups: readonly LookupDefinition[];
  /** Whether a path of its actions' templates that leads nowhere fails the delivery. */
  readonly strictTemplates: boolean;
  /** `strict`: whatever fails holds up what comes after it of the same entity. */
  readonly ordering: 'none' | 'strict';
  readonly dedup: DedupPolicy | null;
  /** Missing: its deliveries go at once. */
  readonly timing?: Timing;
  /** Source of a condition: a change of the entity that meets it cancels what waits of earlier ones, by `timing`. */
  readonly cancelWhen?: string;
  /** What becomes of a delivery that has failed for good: a dead letter, a line in the log alone, or a dead letter and an alert. */
  readonly onFailure: 'dlq' | 'log' | 'alert';
  readonly retry: RetryPolicy;
  readonly actions: readonly ActionDefinition[];
}

export type Mask = 'hash' | 'drop';

/** One table whose changes are recorded. */
export interface CaptureDefinition {
  /** Schema-qualified, as in `public.orders`. */
  readonly table: string;
  readonly entity: string;
  /** Null: the primary key. */
  readonly key: readonly string[] | null;
  /** Whether an update records the row as it was. */
  readonly before: boolean;
  readonly tenant: string | null;
  /** Only these columns are recorded; null: all. */
  readonly include: readonly string[] | null;
  /** These columns do not exist for observers. */
  readonly exclude: readonly string[];
  /** `hash`: a salted SHA-256 in place of the value; `drop`: no value, but a change of it is still named. */
  readonly mask: Readonly<Record<string, Mask>>;
  /** SQL over the row's columns: only rows for which it holds (after the change; before a delete) are recorded. */
  readonly when: string | null;
  /** The user's write fails when the change cannot be recorded whole. */
  readonly strict: boolean;
}

/** Takes what references (`${…}`) brought into the observers file out of what is shown: the reference is shown in its place. */
export interface Redactor {
  /**
   * @param shown what was made
   * @param sources the texts of the file, filled in, that it was made of
   */
  text(shown: string, sources: readonly string[]): string;
  /** The same for all texts of a structure. */
  all<T>(value: T, sources: readonly string[]): T;
}

/** What the observers file says, resolved: defaults applied, secrets in place, endpoints linked. */
export interface ObserversDefinition {
  readonly captures: readonly CaptureDefinition[];
  readonly endpoints: readonly EndpointDefinition[];
  /** Where alerts go; null when nobody asks for them. */
  readonly alerts: EndpointDefinition | null;
  readonly observers: readonly ObserverDefinition[];
  /** Those of them whose names, entities, kinds or condition are filled in from outside the file: the same text may mean another thing elsewhere, or later. */
  readonly varying: ReadonlySet<string>;
  /** Hides this file's secrets: for whoever shows anything that was made of it. */
  readonly redaction: Redactor;
}
