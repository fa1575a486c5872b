import type { Rate } from '../bulk/rate';
import type { GlobalOptions } from '../command';

export interface ReplayFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly entityType?: string;
  readonly entityKey?: string;
  readonly after?: string;
  readonly before?: string;
  readonly fromChange?: number;
  readonly toChange?: number;
  readonly event?: readonly string[];
  readonly onlyMissing?: boolean;
  readonly dryRun?: boolean;
  readonly token?: string;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly rate?: Rate;
}
