import { Module } from '@nestjs/common';
import { Pool } from 'pg';
import { JobQueue } from './job-queue';
import { PostgresJobQueue } from './postgres-job-queue';

/** A driver is a file and a line; test/conformance/job-queue.test.ts runs each. */
export const JOB_QUEUES = {
  postgres: (pool: Pool): JobQueue => new PostgresJobQueue(pool),
};

@Module({ providers: [{ provide: JobQueue, useFactory: JOB_QUEUES.postgres, inject: [Pool] }], exports: [JobQueue] })
export class JobsModule {}
