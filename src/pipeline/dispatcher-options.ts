import type { ActionRunner } from '../actions/action-runner';
import type { Settings } from '../config/settings';
import type { Deduplication } from '../dedup/deduplication';
import type { GoneEndpoints } from '../delivery/gone-endpoints';
import type { Ledger } from '../delivery/ledger';
import type { Pauses } from '../delivery/pauses';
import type { TermContext } from '../event/term-context';
import type { Enrichment } from '../lookups/enrichment';
import type { Gates } from '../resilience/endpoint-gates';
import type { Runs } from './runs';

export interface DispatcherOptions {
  readonly term: TermContext;
  readonly runner: ActionRunner;
  readonly enrichment: Enrichment;
  readonly dedup: Deduplication;
  readonly record: { readonly ledger: Ledger; readonly pauses: Pauses; readonly gone: GoneEndpoints };
  readonly gates: Gates;
  readonly runs: Runs;
  /** Milliseconds for which a delivery may hold the stream. */
  readonly inlineBudget: number;
  readonly fairness: Settings['fairness'];
}
