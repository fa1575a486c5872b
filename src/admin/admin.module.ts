import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { ThrottlerModule } from '@nestjs/throttler';
import { ObserverPausesModule } from '../delivery/observer-pauses.module';
import { AuditModule } from '../audit/audit.module';
import { DoctorModule } from '../doctor/doctor.module';
import { DryRunModule } from '../dry-run/dry-run.module';
import { ExplainModule } from '../explain/explain.module';
import { HaModule } from '../ha/ha.module';
import { RedriveModule } from '../redrive/redrive.module';
import { ReplayModule } from '../redrive/replay.module';
import { ReloadModule } from '../reload/reload.module';
import { AskedResetsModule } from '../reset/asked-resets.module';
import { RetentionModule } from '../retention/retention.module';
import { SearchModule } from '../search/search.module';
import { StatusModule } from '../status/status.module';
import { CacheModule } from '../cache/cache.module';
import { CacheController } from './api/cache.controller';
import { DeadLettersController } from './api/dead-letters.controller';
import { DeliveriesController } from './api/deliveries.controller';
import { EventsController } from './api/events.controller';
import { ExaminationsController } from './api/examinations.controller';
import { HistoryController } from './api/history.controller';
import { LanesController } from './api/lanes.controller';
import { ObserversController } from './api/observers.controller';
import { OperationsController } from './api/operations.controller';
import { RetentionController } from './api/retention.controller';
import { ReloadController } from './api/reload.controller';
import { SearchController } from './api/search.controller';
import { StreamController } from './api/stream.controller';
import { WhyController } from './api/why.controller';
import { TailController } from './api/tail.controller';
import { HealthController } from './health.controller';
import { BoundsGuard } from './http/bounds.guard';
import { HeavyQuestions } from './http/heavy-questions';
import { KnownFilters } from './http/known-filters';
import { LeaderProxy } from './http/leader-proxy';
import { TailStreams } from './tail-streams';

@Module({
  imports: [
    TerminusModule.forRoot({ logger: false }),
    // Its storage alone: what is counted is decided before a route is looked for (http/rate.ts).
    ThrottlerModule.forRoot([]),
    ExplainModule,
    ObserverPausesModule,
    RedriveModule,
    ReplayModule,
    SearchModule,
    StatusModule,
    HaModule,
    ReloadModule,
    AskedResetsModule,
    DoctorModule,
    DryRunModule,
    AuditModule,
    CacheModule,
    RetentionModule,
  ],
  controllers: [
    HealthController,
    StreamController,
    TailController,
    DeliveriesController,
    ExaminationsController,
    OperationsController,
    LanesController,
    CacheController,
    HistoryController,
    RetentionController,
    ReloadController,
    ObserversController,
    EventsController,
    WhyController,
    SearchController,
    DeadLettersController,
  ],
  providers: [KnownFilters, { provide: APP_GUARD, useClass: BoundsGuard }, LeaderProxy, HeavyQuestions, TailStreams],
})
export class AdminModule {}
