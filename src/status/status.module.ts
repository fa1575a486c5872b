import { Module } from '@nestjs/common';
import { Operations } from './operations.service';
import { Status } from './status.service';
import { Tail } from './tail.service';

@Module({ providers: [Status, Tail, Operations], exports: [Status, Tail, Operations] })
export class StatusModule {}
