import type { Verdict } from './verdict';

export interface ChaosOptions {
  /** `kill -9` of the service, at random moments. */
  readonly serviceKills: number;
  /** `kill -9` of the postmaster; it is started again at once. */
  readonly postgresKills: number;
  readonly seed: number;
  /** Processes that spin beside all this until the last kill. */
  readonly spinners: number;
}

export interface ChaosVerdict {
  /** By observer: of what its receiver accepted. */
  readonly policies: Readonly<Record<string, Verdict>>;
  /** What is wrong with what stood for several changes. */
  readonly collapsed: readonly string[];
  /** How many hostile rows were committed, and the numbers of those that never arrived. */
  readonly hostile: { readonly committed: number; readonly lost: readonly number[] };
  /** Changes that no observer could be asked of. */
  readonly quarantined: readonly { readonly message: string }[];
  /** Changes that the function was not called for, and those that it was called for more than once. */
  readonly calls: { readonly missing: number; readonly repeated: number };
  /** What `audit verify` says: all changes but those of hostile rows, and the deliveries that nothing is on record of. */
  readonly audit: { readonly changes: number; readonly unaccounted: number; readonly pending: number };
  /** What the audit in the background has ever called missing, over all kills. */
  readonly background: { readonly unaccounted: number };
  /** Where what a change found is not what the one before it left. */
  readonly brokenChains: readonly string[];
  /** Kills that found deliveries in PostgreSQL that were older than the inline budget. */
  readonly killsWithBacklog: number;
  /** Milliseconds from each restart to the next delivery. */
  readonly recoveries: readonly number[];
}
