import { Module } from '@nestjs/common';
import { TimersModule } from '../event/timers';
import { HaModule } from '../ha/ha.module';
import { FileWatch } from './file-watch';
import { Reloader } from './reloader';

@Module({ imports: [HaModule, TimersModule], providers: [Reloader, FileWatch], exports: [Reloader, FileWatch] })
export class ReloadModule {}
