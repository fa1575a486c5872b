/** What a reload came to. */
export interface Reloaded {
  /** Version of the configuration; the same as `previous` when the file's text is the same, and only what it refers to may be another. */
  readonly version: number;
  readonly previous: number;
  /** `when it leads`: this instance stands by, or the database did not take it at once. */
  readonly effective: 'now' | 'when it leads';
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  /** What a person should know, a sentence each. */
  readonly notes: readonly string[];
}
