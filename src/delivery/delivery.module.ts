import { Module } from '@nestjs/common';
import { Ledgers } from './ledgers';

@Module({ providers: [Ledgers], exports: [Ledgers] })
export class DeliveryModule {}
