import { Module } from '@nestjs/common';
import { ObserverPauses } from './observer-pauses.service';

/** By itself, for a command opens it on one connection, and the record of deliveries takes the service's pool. */
@Module({ providers: [ObserverPauses], exports: [ObserverPauses] })
export class ObserverPausesModule {}
