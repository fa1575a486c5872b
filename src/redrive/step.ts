import type { AskedDelivery } from './asked.sql';

/** What one step through many items did; null in its place means that nothing is left. */
export interface SetStep {
  /** To be watched until they have ended. */
  readonly asked: readonly AskedDelivery[];
  /** How far this brings us, on the scale of the total. */
  readonly passed: number;
}
