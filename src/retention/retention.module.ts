import { Module } from '@nestjs/common';
import { Retention } from './retention.service';
import { RetentionTally } from './retention-tally';

@Module({ providers: [RetentionTally, Retention], exports: [RetentionTally, Retention] })
export class RetentionModule {}
