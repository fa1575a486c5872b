import { Module } from '@nestjs/common';
import { ExplainModule } from '../explain/explain.module';
import { StatusModule } from '../status/status.module';
import { Previews } from './previews.service';
import { TestEvents } from './test-events.service';

/** Of a running service: commands try a file that no service runs. */
@Module({ imports: [ExplainModule, StatusModule], providers: [TestEvents, Previews], exports: [TestEvents, Previews] })
export class DryRunModule {}
