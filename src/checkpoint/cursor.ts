/** A PostgreSQL snapshot as text, `xmin:xmax:xip,…`. */
export type Snapshot = string;

/**
 * How far a stream has been read. Everything visible in `previous` has been read; of what is visible in `target` and was not in
 * `previous` (the window), everything up to the change number `after` has. Between two windows `target` is null and `after` is 0.
 */
export interface Cursor {
  readonly previous: Snapshot;
  readonly target: Snapshot | null;
  readonly after: number;
}

/** Before everything: every change that carries its transaction is new. */
export const BEGINNING: Cursor = { previous: '1:1:', target: null, after: 0 };

/** Behind everything, whatever its transaction: what was recorded by the snapshots of another cluster decides nothing here. */
export const BEYOND_EVERYTHING: Snapshot = '9223372036854775806:9223372036854775806:';
