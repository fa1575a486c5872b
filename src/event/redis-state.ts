/** What Redis is used for beside the actions, with a connection each. */
export type RedisUse = 'dedup' | 'cache';

/** How Redis is for one use, in one process. */
export interface RedisState {
  readonly use: RedisUse;
  /** Whether the last call was answered. */
  readonly up: boolean;
  /** Since when, as ISO 8601. */
  readonly since: string;
  /** Calls without an answer since the start. */
  readonly unanswered: number;
  /** Why the last one had none; null while it is up. */
  readonly reason: string | null;
}
