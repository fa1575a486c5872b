import { Module } from '@nestjs/common';
import { Replays } from './replays.service';

/** Apart from the dead letters: replays judge conditions, whose code `dlq list` need not load. */
@Module({ providers: [Replays], exports: [Replays] })
export class ReplayModule {}
