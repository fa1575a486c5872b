import type { JsonValue } from '../event/json-document';

export interface CachedAnswer {
  /** Undefined: there is nothing (404). */
  readonly value: JsonValue | undefined;
  /** Monotonic time at which it came. */
  readonly at: number;
}

/** Answers of look-ups. How old is too old is not decided here. Lives with the process, over all terms of leadership. */
export abstract class LookupCache {
  abstract get(key: string): CachedAnswer | undefined;
  /** @param size bytes of the answer's text */
  abstract set(key: string, answer: CachedAnswer, size: number): void;
  abstract get count(): number;
}
