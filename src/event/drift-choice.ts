/** What becomes of captured tables that are not as the file asks, at the start and at a reload. */
export interface DriftChoice {
  /** Bring the triggers to what the file says. */
  readonly applyCapture: boolean;
  /** Refuse to go on when they differ. */
  readonly strict: boolean;
}
