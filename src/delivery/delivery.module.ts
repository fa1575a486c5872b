import { Module } from '@nestjs/common';
import { Ledgers } from './ledgers';
import { ObserverPauses } from './observer-pauses.service';

@Module({ providers: [Ledgers, ObserverPauses], exports: [Ledgers, ObserverPauses] })
export class DeliveryModule {}
