import { Injectable, Module } from '@nestjs/common';
import { Pool } from 'pg';
import { ServiceConfiguration } from '../config/service-configuration';
import { JobQueue } from '../jobs/job-queue';
import { JobsModule } from '../jobs/jobs.module';
import type { EventPipeline } from '../pipeline/event-pipeline';
import { JobWorker } from './job-worker';
import { OlderConfigurations } from './older-configurations';

/** The second door of the pipeline: deliveries that are due. */
@Injectable()
export class JobWorkers {
  constructor(
    private readonly pool: Pool,
    private readonly jobs: JobQueue,
    private readonly configuration: ServiceConfiguration,
  ) {}

  open(pipeline: EventPipeline): JobWorker {
    const { loaded, settings } = this.configuration;
    const older = new OlderConfigurations(this.pool, pipeline.parts.runner, loaded.observersOf);
    return new JobWorker(this.pool, this.jobs, pipeline, older, settings.maxEventSize);
  }
}

@Module({ imports: [JobsModule], providers: [JobWorkers], exports: [JobWorkers] })
export class WorkerModule {}
