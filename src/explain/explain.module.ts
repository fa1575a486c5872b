import { Module } from '@nestjs/common';
import { Explanations } from './explanations.service';
import { StoredEvents } from './stored-events.service';

@Module({ providers: [Explanations, StoredEvents], exports: [Explanations, StoredEvents] })
export class ExplainModule {}
