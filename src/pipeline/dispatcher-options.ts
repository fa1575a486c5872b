import type { Logger } from 'pino';
import type { ActionRunner } from '../actions/action-runner';
import type { EndpointGate } from '../resilience/endpoint-gate';
import type { GoneEndpoints } from '../delivery/gone-endpoints';
import type { Ledger } from '../delivery/ledger';
import type { Pauses } from '../delivery/pauses';
import type { DeadLetterRecord } from '../delivery/records';
import type { Clock } from '../event/clock';
import type { ObserverDefinition } from '../event/definitions';
import type { Mandate } from '../event/mandate';
import type { Deduplication } from '../dedup/deduplication';
import type { Enrichment } from '../lookups/enrichment';
import type { EventRun } from './runs';
import type { PipelineListener } from './pipeline-events';

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
  /** Called when the last delivery of an event is recorded or handed over. */
  readonly onFinished: (run: EventRun) => void;
  readonly listener: Pick<Required<PipelineListener>, 'tried'>;
  /** Called when an endpoint's circuit breaker has changed its state. */
  readonly onBreaker: (gate: EndpointGate) => void;
  /** Called with what has failed for good, for observers that ask for alerts. */
  readonly onAlert: (record: DeadLetterRecord) => void;
}
