import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { Alerters } from '../alerts/alerts.module';
import { ServiceConfiguration } from '../config/service-configuration';
import type { TermContext } from '../event/term-context';
import type { ListenConnection } from '../listener/listen-connection';
import { Readers } from '../listener/listener.module';
import type { StreamConfiguration } from '../pipeline/configuration';
import { EventPipelineService } from '../pipeline/event-pipeline.service';
import type { PipelineSubscriber } from '../pipeline/pipeline-events';
import { JobWorkers } from '../worker/worker.module';
import type { CaptureWatch } from './capture-watch';
import type { Lease } from './lease';
import { SideJobs } from './side-jobs';
import { Term } from './term';

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
