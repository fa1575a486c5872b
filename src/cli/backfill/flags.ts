import type { Rate } from '../bulk/rate';
import type { GlobalOptions } from '../command';

/** Flags of `backfill TABLE`. */
export interface BackfillFlags extends GlobalOptions {
  readonly observer?: readonly string[];
  readonly where?: string;
  readonly rate?: Rate;
  readonly dryRun?: boolean;
  readonly again?: boolean;
  readonly yes?: boolean;
}
