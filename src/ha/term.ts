import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Alerter } from '../alerts/alerter';
import { Alerters } from '../alerts/alerts.module';
import { ServiceConfiguration } from '../config/service-configuration';
import type { Settings } from '../config/settings';
import type { TermContext } from '../event/term-context';
import { within } from '../event/timing';
import type { ChangeLogReader } from '../listener/change-log-reader';
import type { ListenConnection } from '../listener/listen-connection';
import { Readers } from '../listener/listener.module';
import type { StreamConfiguration } from '../pipeline/configuration';
import type { EventPipeline } from '../pipeline/event-pipeline';
import { EventPipelineService } from '../pipeline/event-pipeline.service';
import type { PipelineSubscriber } from '../pipeline/pipeline-events';
import type { SideJob } from '../pipeline/side-job';
import type { JobWorker } from '../worker/job-worker';
import { JobWorkers } from '../worker/worker.module';
import type { CaptureWatch } from './capture-watch';
import type { Lease } from './lease';
import { recordReconfiguration } from './reconfiguration.sql';
import { SideJobs } from './side-jobs';

const HAND_OVER_CHECK = 100;

/** What a term consists of. */
interface TermParts {
  readonly pipeline: EventPipeline;
  readonly reader: ChangeLogReader;
  readonly worker: JobWorker;
  readonly alerter: Alerter;
  /** What the leader does besides delivering. */
  readonly sideJobs: readonly SideJob[];
}

/** One term of leadership: everything that lives and dies with an epoch. Its end is the one ordered list of `close`. */
export class Term {
  constructor(
    readonly lease: Lease,
    private readonly pool: Pool,
    private readonly settings: Pick<Settings, 'shutdownTimeout' | 'inlineBudget'>,
    private readonly parts: TermParts,
  ) {}

  get pipeline(): EventPipeline {
    return this.parts.pipeline;
  }

  /**
   * Makes ready to go on by another configuration. What this throws has changed nothing.
   *
   * @returns goes on by it from the next page on; deliveries under way end as they began. When the database does not take it, the term
   *   ends, and the next one has to begin with it
   */
  prepare(next: StreamConfiguration): () => Promise<void> {
    const { pipeline, reader, worker, alerter } = this.parts;
    const { stream, epoch } = pipeline.term;
    const prepared = pipeline.prepare(next);
    const { pauses } = pipeline.parts.record;
    return async () => {
      try {
        await reader.between((cursor) =>
          worker.between(() =>
            pipeline.change(prepared, () => {
              const change = { stream, epoch, configVersion: next.version, order: prepared.arrangement, paused: pauses.all };
              return recordReconfiguration(this.pool, change, cursor);
            }),
          ),
        );
        alerter.use(next.alerts);
      } catch (error) {
        pipeline.events.broken(error);
        throw error;
      }
    };
  }

  wake(): void {
    this.parts.reader.wake();
  }

  stop(): void {
    this.parts.reader.stop();
  }

  /** Until the reader is stopped or the lease is lost. @param stopping whether the whole process is to end */
  async run(stopping: () => boolean): Promise<void> {
    const { dispatcher } = this.parts.pipeline;
    const handOver = setInterval(() => dispatcher.handOverSlow(), HAND_OVER_CHECK);
    const working = this.parts.worker.run();
    try {
      await this.parts.reader.run();
    } finally {
      await this.close(working, stopping);
      clearInterval(handOver);
    }
  }

  /** The one ordered list of how a term ends. After another instance has taken over nothing is written any more. */
  private async close(working: Promise<void>, stopping: () => boolean): Promise<void> {
    const { lease } = this;
    const { worker, sideJobs, pipeline, alerter } = this.parts;
    worker.stop();
    await working;
    await Promise.all(sideJobs.map((job) => job.stop()));
    if (lease.lost) await pipeline.cut();
    else {
      const { shutdownTimeout, inlineBudget } = this.settings;
      await pipeline.settle(stopping() ? shutdownTimeout : inlineBudget);
      await this.drain(stopping);
      await lease.release().catch(() => undefined);
    }
    await pipeline.close();
    await alerter.stop();
  }

  /** Outcomes that have happened wait for the database as long as this process may; a stop does not wait for ever. */
  private async drain(stopping: () => boolean): Promise<void> {
    let drained = false;
    const { ledger } = this.pipeline;
    const draining = ledger.drain().then(() => (drained = true));
    do await within(draining, this.settings.shutdownTimeout, () => undefined);
    while (!drained && !stopping() && !this.lease.lost);
  }
}

/** What a stream has of its own, over all its terms. */
export interface StreamParts {
  readonly listen: ListenConnection;
  readonly captureWatch: CaptureWatch;
  readonly subscriber: PipelineSubscriber;
}

/** The two doors of a pipeline: fresh changes, and deliveries that are due. */
@Injectable()
export class Doors {
  constructor(
    readonly readers: Readers,
    readonly workers: JobWorkers,
  ) {}
}

/** Opens terms of leadership. */
@Injectable()
export class Terms {
  constructor(
    private readonly pool: Pool,
    private readonly configuration: ServiceConfiguration,
    private readonly pipelines: EventPipelineService,
    private readonly doors: Doors,
    private readonly alerters: Alerters,
    private readonly sideJobs: SideJobs,
  ) {}

  /** Takes up where the last term ended. When that fails, the lease is free again. */
  async open(lease: Lease, context: TermContext, configuration: StreamConfiguration, stream: StreamParts): Promise<Term> {
    const { settings } = this.configuration;
    const { readers, workers } = this.doors;
    try {
      const pipeline = await this.pipelines.open(context, configuration, settings);
      pipeline.events.subscribe(stream.subscriber);
      // Last of what may fail: it leaves timers running.
      const sideJobs = await this.sideJobs.begin(context, stream.captureWatch);
      const alerter = await this.alerters.open(context, configuration.alerts, configuration.observers);
      pipeline.events.subscribe({
        buried: (letter, { observer }) => {
          if (observer.onFailure === 'alert') alerter.failed(letter);
        },
      });
      const [reader, worker] = [readers.open(pipeline, stream.listen), workers.open(pipeline)];
      return new Term(lease, this.pool, settings, { pipeline, reader, worker, alerter, sideJobs });
    } catch (error) {
      await lease.release().catch(() => undefined);
      throw error;
    }
  }
}
