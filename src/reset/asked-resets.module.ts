import { Module } from '@nestjs/common';
import { ExplainModule } from '../explain/explain.module';
import { HaModule } from '../ha/ha.module';
import { AskedResets } from './asked-resets.service';
import { ResetModule } from './reset.module';

/** Of a running service: the command moves the checkpoint while none runs. */
@Module({ imports: [ResetModule, ExplainModule, HaModule], providers: [AskedResets], exports: [AskedResets, ResetModule] })
export class AskedResetsModule {}
