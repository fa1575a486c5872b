import { Module } from '@nestjs/common';
import { Replays } from './replays.service';

/** Apart from the dead letters: replays judge conditions, whose code `dlq list` need not load (45 ms of a start). */
@Module({ providers: [Replays], exports: [Replays] })
export class ReplayModule {}
