import type { Logger } from 'pino';
import type { ActionRunner } from '../actions/action-runner';
import type { GoneEndpoints } from '../delivery/gone-endpoints';
import type { Ledger } from '../delivery/ledger';
import type { Pauses } from '../delivery/pauses';
import type { Clock } from '../event/clock';
import type { ObserverDefinition } from '../event/definitions';
import type { Mandate } from '../event/mandate';
import type { Pause } from '../event/timing';
import type { Deduplication } from '../dedup/deduplication';
import type { Enrichment } from '../lookups/enrichment';
import type { PipelineEvents } from './pipeline-events';
import type { Runs } from './runs';

export interface DispatcherOptions {
  readonly runner: ActionRunner;
  readonly enrichment: Enrichment;
  readonly gone: GoneEndpoints;
  readonly dedup: Deduplication;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mandate: Mandate;
  /** Milliseconds for which a delivery may hold the stream. */
  readonly inlineBudget: number;
  readonly observers: readonly ObserverDefinition[];
  /** Endpoints of which deliveries stand queued in PostgreSQL. */
  readonly backlogged: Iterable<string>;
  /** Lanes of strict observers of which something stands in PostgreSQL. */
  readonly blocked: Iterable<string>;
  readonly pauses: Pauses;
  readonly runs: Runs;
  readonly events: Pick<PipelineEvents, 'tried' | 'buried' | 'breaker'>;
  /** The worker's: woken when an endpoint with a backlog in PostgreSQL has places to spare, and when a strict lane wants a new head. */
  readonly worker: Pause;
}
