/** What a claim found. */
export type Claim =
  | { readonly is: 'granted' }
  /** A delivery with this key was made, and its window is not over. */
  | { readonly is: 'done'; readonly changeNumber: number }
  /** One is under way, for so many milliseconds at most. */
  | { readonly is: 'busy'; readonly changeNumber: number; readonly left: number }
  /** The store cannot be asked at the moment, and deliveries do not wait for it. */
  | { readonly is: 'unknown'; readonly reason: string };

/** One content key of one action of one observer. */
export interface DedupKey {
  readonly observer: string;
  readonly action: string;
  /** SHA-256 of the rendered key. */
  readonly key: Buffer;
  readonly changeNumber: number;
}

/**
 * Content keys in two phases: claimed for as long as a delivery is under way, then done for a window; free again when it failed.
 * Lives with the process: a new term of leadership knows what an earlier one has delivered.
 */
export abstract class DedupStore {
  /**
   * A claim of the same change is its own: it may have been left behind by a crash.
   *
   * @param lease milliseconds after which an unfinished claim is anybody's
   */
  abstract claim(key: DedupKey, lease: number): Promise<Claim>;
  /** @param window milliseconds for which the key is taken */
  abstract done(key: DedupKey, window: number): Promise<void>;
  /** Free again. A key that is done, or claimed for another change, stays as it is. */
  abstract release(key: DedupKey): Promise<void>;
}
