/** Something that a leader does besides delivering, for as long as its term lasts. It is never waited for, and its failures are its own. */
export interface SideJob {
  /** Ends it; what it has begun is finished. */
  stop(): Promise<void>;
}
