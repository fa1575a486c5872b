/** A table that is not captured as the running configuration asks, as the leader saw it when it looked last. */
export interface CaptureDrift {
  /** Quoted and schema-qualified. */
  readonly table: string;
  readonly entity: string | null;
  readonly state: 'missing' | 'drifted' | 'unwanted' | 'impossible';
  /** The first of them, a sentence each. `capture check` gives all. */
  readonly reasons: readonly string[];
  /** When it was seen first, RFC 3339. */
  readonly since: string;
}
