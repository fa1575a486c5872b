import type { JsonValue } from '../event/json-document';
import type { Failed } from '../event/outcome';

/** A question is one request that a look-up makes. */
export interface Question {
  readonly lookup: string;
  /** The URL as it is asked for. People name the question by it. */
  readonly url: string;
  /** All that the answer depends on. It may hold passwords: it leaves the process as a digest only. */
  readonly text: string;
}

export interface CachedAnswer {
  /** Undefined: there is nothing (404). */
  readonly value: JsonValue | undefined;
  /** Monotonic time at which it came. */
  readonly at: number;
}

/** The outcome of asking: an answer, or why there is none. */
export type Asked =
  | {
      readonly value: JsonValue | undefined;
      /** The answer's text, JSON; empty when there is nothing. */
      readonly text: string;
    }
  | Failed;

/** For how long an answer serves, in milliseconds. */
export interface Life {
  readonly ttl: number;
  /** The old answer serves for so much longer while a new one is asked for. */
  readonly staleFor: number;
  /** Asking may take so long. */
  readonly timeout: number;
}

/** Where an answer was found. */
export type Tier = 'memory' | 'redis';

export type Found =
  | (CachedAnswer & {
      /** Null: it was asked for. */
      readonly tier: Tier | null;
      /** A newer one that is being asked for; null when it is not needed, or somebody else asks. */
      readonly refresh: Promise<Asked> | null;
    })
  | Failed;

/** Whose answers are old: those of a look-up, or those of a URL. */
export type Invalidation = { readonly lookup: string } | { readonly url: string };

/** Answers of look-ups. Lives with the process, over all terms of leadership. How old is too old for its first tier is not decided here. */
export abstract class LookupCache {
  /** The answer that this process has, at once. */
  abstract get(question: Question): CachedAnswer | undefined;
  /** What others have, as far as it is good enough; or what asking comes to, which is kept. Never rejects, as `ask` never does. */
  abstract find(question: Question, life: Life, ask: () => Promise<Asked>): Promise<Found>;
  /** From now on these are asked for anew. @returns who does that @throws what keeps it from reaching the others */
  abstract invalidate(what: Invalidation): Promise<'every instance' | 'this instance'>;
  /** Answers in this process. */
  abstract get count(): number;
}
