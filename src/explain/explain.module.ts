import { Module } from '@nestjs/common';
import { EntityAnswers } from './entity-answers.service';
import { Explanations } from './explanations.service';
import { StoredEvents } from './stored-events.service';

@Module({ providers: [EntityAnswers, Explanations, StoredEvents], exports: [EntityAnswers, Explanations, StoredEvents] })
export class ExplainModule {}
