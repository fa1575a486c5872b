import { Module } from '@nestjs/common';
import { ActionsModule } from '../actions/actions.module';
import { CheckpointModule } from '../checkpoint/checkpoint.module';
import { DedupModule } from '../dedup/dedup.module';
import { DeliveryModule } from '../delivery/delivery.module';
import { JobsModule } from '../jobs/jobs.module';
import { LookupsModule } from '../lookups/lookups.module';
import { ResilienceModule } from '../resilience/resilience.module';
import { EventPipelineService } from './event-pipeline.service';
import { PipelineEvents } from './pipeline-events';

@Module({
  imports: [CheckpointModule, DeliveryModule, JobsModule, ResilienceModule, ActionsModule, DedupModule, LookupsModule],
  providers: [EventPipelineService, PipelineEvents],
  exports: [EventPipelineService, PipelineEvents],
})
export class PipelineModule {}
