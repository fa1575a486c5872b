import type { Mandate } from '../event/mandate';

/** Something that a leader does besides delivering, for as long as its term lasts. It is never waited for, and its failures are its own. */
export interface SideJob {
  /** Ends it; what it has begun is finished. */
  stop(): Promise<void>;
}

/** Begins one, when a term does. */
export type SideJobs = readonly ((mandate: Mandate) => SideJob)[];
