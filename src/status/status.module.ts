import { Module } from '@nestjs/common';
import { Status } from './status.service';
import { Tail } from './tail.service';

@Module({ providers: [Status, Tail], exports: [Status, Tail] })
export class StatusModule {}
