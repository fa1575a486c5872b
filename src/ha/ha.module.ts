import { Module } from '@nestjs/common';
import { AlertsModule } from '../alerts/alerts.module';
import { BackgroundAudits } from '../audit/background-audit';
import { ConnectionsModule } from '../connections/connections.module';
import { TimersModule } from '../event/timers';
import { ListenerModule } from '../listener/listener.module';
import { PipelineModule } from '../pipeline/pipeline.module';
import { IndexFeeds } from '../search/feed/index-feeds';
import { RetentionModule } from '../retention/retention.module';
import { RetentionRounds } from '../retention/retention-rounds';
import { WorkerModule } from '../worker/worker.module';
import { InstanceAddress } from './heartbeat';
import { Leases } from './lease';
import { SideJobs } from './side-jobs';
import { LeadershipTools, Streams } from './streams.service';
import { Doors, Terms } from './term';

@Module({
  imports: [TimersModule, ConnectionsModule, PipelineModule, ListenerModule, WorkerModule, AlertsModule, RetentionModule],
  providers: [BackgroundAudits, IndexFeeds, RetentionRounds, Leases, InstanceAddress, Doors, SideJobs, Terms, LeadershipTools, Streams],
  exports: [Streams, InstanceAddress, RetentionModule],
})
export class HaModule {}
