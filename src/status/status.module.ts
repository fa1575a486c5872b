import { Module } from '@nestjs/common';
import { Deliveries } from './deliveries.service';
import { Operations } from './operations.service';
import { PendingDeliveries } from './pending.service';
import { Status } from './status.service';
import { Tail } from './tail.service';

const SERVICES = [Status, Tail, Operations, Deliveries, PendingDeliveries];

@Module({ providers: SERVICES, exports: SERVICES })
export class StatusModule {}
