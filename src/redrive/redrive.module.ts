import { Module } from '@nestjs/common';
import { AskedDeliveries } from './asked-deliveries.service';
import { Breakers } from './breakers.service';
import { DeadLetterSets } from './dead-letter-sets.service';
import { DeadLetters } from './dead-letters.service';
import { HeldLanes } from './held-lanes.service';
import { KnownNames } from './known-names.service';

const SERVICES = [AskedDeliveries, Breakers, DeadLetters, DeadLetterSets, HeldLanes, KnownNames];

/** What people do about deliveries, for the API and the commands alike. Whoever imports it provides the Database. */
@Module({ providers: SERVICES, exports: SERVICES })
export class RedriveModule {}
