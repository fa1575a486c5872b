import type { JsonValue } from '../event/json-document';
import type { Failed } from '../event/outcome';

/** What a look-up asks for. */
export interface Question {
  readonly lookup: string;
  /** As it is asked for: what a person names it by. */
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

/** What asking came to. */
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
  /** For how much longer the old one goes on while a new one is asked for. */
  readonly staleFor: number;
  /** How long asking may take. */
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
  /** What this process has, at once. */
  abstract get(question: Question): CachedAnswer | undefined;
  /** What others have, as far as it is good enough; or what asking comes to, which is kept. Never rejects, as `ask` never does. */
  abstract find(question: Question, life: Life, ask: () => Promise<Asked>): Promise<Found>;
  /** From now on these are asked for anew. @returns who does that @throws what keeps it from reaching the others */
  abstract invalidate(what: Invalidation): Promise<'every instance' | 'this instance'>;
  /** Answers in this process. */
  abstract get count(): number;
}
