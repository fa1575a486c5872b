import type { Asked } from './asked.sql';

/** What one step through many items did; null in its place means that nothing is left. */
export interface Step {
  /** To be watched until they have ended. */
  readonly asked: readonly Asked[];
  /** How far this brings us, on the scale of the total. */
  readonly passed: number;
}
