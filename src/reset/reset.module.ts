import { Module } from '@nestjs/common';
import { CheckpointResets } from './checkpoint-resets.service';

@Module({ providers: [CheckpointResets], exports: [CheckpointResets] })
export class ResetModule {}
