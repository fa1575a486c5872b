import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { ActionRunner } from '../actions/action-runner';
import type { CustomActions } from '../actions/custom/custom-actions';
import type { Tracing } from '../tracing/tracing';
import type { Cursor } from '../checkpoint/cursor';
import { Progress } from '../checkpoint/progress';
import type { VersionText } from '../config/rules';
import type { Settings } from '../config/settings';
import type { LookupCache } from '../cache/lookup-cache';
import type { DedupStore } from '../dedup/dedup-store';
import { type GoneEndpoints } from '../delivery/gone-endpoints';
import { Ledger } from '../delivery/ledger';
import { ExactlyOnceCalls } from '../actions/database/once';
import type { Pauses } from '../delivery/pauses';
import type { Inherited } from '../jobs/takeover.sql';
import type { Clock } from '../event/clock';
import { Pause } from '../event/timing';
import type { CaptureDefinition, EndpointDefinition, ObserverDefinition } from '../event/definitions';
import type { Lease } from './lease';
import { Alerter } from '../alerts/alerter';
import { DeliveryWorker } from '../worker/job-worker';
import { OlderConfigurations } from '../worker/older-configurations';
import { Matcher } from '../matching/matcher';
import { Lookups } from '../lookups/lookups';
import { CurrentConfiguration } from '../pipeline/configuration';
import { Deduplication } from '../dedup/deduplication';
import { Dispatcher } from '../pipeline/dispatcher';
import { Enrichment } from '../lookups/enrichment';
import { EventPipeline } from '../pipeline/event-pipeline';
import { PipelineEvents, type PipelineSubscriber } from '../pipeline/pipeline-events';
import { Runs } from '../pipeline/runs';
import { Shadow } from '../pipeline/shadow';
import { ChangeLogReader } from '../listener/change-log-reader';
import type { ListenConnection } from '../listener/listen-connection';
import type { SideJob, SideJobs } from '../pipeline/side-jobs';
import { type Upkeep } from './upkeep';

/** What a reload changes. */
export interface StreamConfiguration {
  readonly observers: readonly ObserverDefinition[];
  /** Where alerts go; null when nobody asks for them. */
  readonly alerts: EndpointDefinition | null;
  /** Tables that are to be captured. */
  readonly captures: readonly CaptureDefinition[];
  readonly version: number;
}

export interface TermDependencies {
  readonly url: string;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: Settings;
  readonly configuration: StreamConfiguration;
  /** The observers of an older version. */
  readonly observersOf: (version: VersionText) => readonly ObserverDefinition[];
  readonly custom: CustomActions;
  readonly tracing: Tracing;
  readonly holder: string;
  readonly listen: ListenConnection;
  /** What both hold lives with the process: a lost connection forgets neither. */
  readonly dedup: DedupStore;
  readonly cache: LookupCache;
  readonly subscribers: readonly PipelineSubscriber[];
  readonly sideJobs: SideJobs;
  /** A newer leader has taken over. */
  readonly onStale: () => void;
}

/** What a term consists of. */
export interface TermParts {
  readonly progress: Progress;
  readonly ledger: Ledger;
  readonly pipeline: EventPipeline;
  readonly reader: ChangeLogReader;
  readonly worker: DeliveryWorker;
  readonly upkeep: Upkeep;
  readonly runner: ActionRunner;
  readonly lookups: Lookups;
  readonly alerter: Alerter;
  readonly current: CurrentConfiguration;
  readonly pauses: Pauses;
  readonly sideJobs: readonly SideJob[];
}

/** Puts the parts together. Nothing runs yet, but for what `upkeep` has begun. */
export function assembleTerm(
  lease: Lease,
  deps: TermDependencies,
  cursor: Cursor,
  inherited: Inherited & { readonly gone: GoneEndpoints },
  upkeep: Upkeep,
): TermParts {
  const { url, pool, clock, logger, settings, configuration, custom, tracing, holder, listen } = deps;
  const { observers, alerts, version } = configuration;
  const { stream, maxEventSize, commitWindow, inlineBudget, maxInFlight, pollInterval, maxHops } = settings;
  const current = new CurrentConfiguration(new Matcher(observers), version);
  const fence = { stream, epoch: lease.epoch, holder };
  const runner = new ActionRunner(observers, logger, { settings, custom, tracing, once: new ExactlyOnceCalls(url, fence) });
  const progress = new Progress();
  const events = new PipelineEvents(deps.subscribers);
  const ledger = new Ledger(pool, progress, clock, logger, { fence, commitWindow, onStale: deps.onStale, events });
  const runs = new Runs(progress, ledger, events);
  const dedup = new Deduplication(deps.dedup, events);
  const lookups = new Lookups(deps.cache, clock, logger, events);
  const enrichment = new Enrichment(lookups, clock);
  const alerter = new Alerter(pool, alerts, logger);
  const shadow = new Shadow({ runner, enrichment, ledger, clock, logger, runs, events, inlineBudget });
  const pause = new Pause();
  const dispatcher = new Dispatcher({
    runner,
    observers,
    enrichment,
    dedup,
    ledger,
    clock,
    logger,
    mandate: lease,
    inlineBudget,
    ...inherited,
    runs,
    events,
    worker: pause,
  });
  const pipeline = new EventPipeline(current, runs, ledger, dispatcher, shadow, { clock, logger, maxHops });
  const onLostClaim = (error: unknown): void => reader.fail(error);
  const workerOptions = { stream, holder, maxEventSize, pause, onLostClaim };
  const older = new OlderConfigurations(pool, runner, deps.observersOf);
  const { pauses } = inherited;
  const worker = new DeliveryWorker(pool, current, older, pipeline, pauses, ledger, lease, clock, logger, workerOptions);
  const readerOptions = { url, maxInFlight, maxEventSize, pollInterval, events };
  const reader = new ChangeLogReader(cursor, pipeline, progress, listen, lease, readerOptions);
  events.subscribe({
    event: () => reader.freed(),
    buried: (letter, { observer }) => {
      if (observer.onFailure === 'alert') alerter.failed(letter);
    },
  });
  const sideJobs = deps.sideJobs.map((begin) => begin(lease));
  return { progress, ledger, pipeline, reader, worker, upkeep, runner, lookups, alerter, current, pauses, sideJobs };
}
