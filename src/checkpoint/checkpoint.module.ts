import { Module } from '@nestjs/common';
import { Checkpoints } from './checkpoints';

@Module({ providers: [Checkpoints], exports: [Checkpoints] })
export class CheckpointModule {}
