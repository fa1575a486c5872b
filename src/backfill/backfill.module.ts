import { Module } from '@nestjs/common';
import { Backfills } from './backfills.service';

@Module({ providers: [Backfills], exports: [Backfills] })
export class BackfillModule {}
